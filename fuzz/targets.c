/* SPDX-License-Identifier: Apache-2.0 */
/* Target URIs, and services with their endpoints in one line. */
#include "fuzz.h"

#include "source/service.h"
#include "source/source.h"

static void parse_target(const char *text)
{
    for (int protocol = MODEL_HTTP; protocol <= MODEL_H2; protocol++) {
        struct model_target target = { 0 };
        struct fault fault = { 0 };

        if (model_target_parse(text, (enum model_protocol) protocol, &target, &fault) == 0)
            model_target_free(&target);
        else if (fault.text[0] == '\0')
            abort(); /* nothing is refused without a sentence */
    }
}

static void read_line(const char *text)
{
    struct conf *conf = conf_new();
    struct service *services = NULL;
    struct fault fault = { 0 };
    size_t n = 0;

    if (conf && conf_set(conf, "services", text, &fault) == 0 && conf_check(conf, &fault) == 0 &&
        conf_services(conf, &services, &n, &fault) == 0) {
        for (size_t i = 0; i < n; i++)
            service_clear(&services[i]);
        mem_free(services);
    }
    conf_free(conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    parse_target(text);
    read_line(text);
    free(text);
    return 0;
}
