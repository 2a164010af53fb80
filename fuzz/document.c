/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration document: read, checked, made into services, and told. */
#include "fuzz.h"

#include "source/service.h"
#include "source/source.h"

static void make_services(const struct conf *conf)
{
    struct service *services = NULL;
    struct fault fault = { 0 };
    size_t n = 0;

    if (conf_services(conf, &services, &n, &fault) != 0)
        return;
    for (size_t i = 0; i < n; i++)
        service_clear(&services[i]);
    mem_free(services);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct conf *conf = conf_new();
    struct fault fault = { 0 };

    /* Anything else is the name of a file. */
    if (conf && text[strspn(text, " \t\r\n")] == '{' && conf_set(conf, "config", text, &fault) == 0 &&
        conf_check(conf, &fault) == 0) {
        make_services(conf);
        mem_free(conf_describe(conf, true));
    }
    conf_free(conf);
    free(text);
    return 0;
}
