/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of strangers on texts of strangers: the first line is the pattern, the rest the text. Both may be
 * anything; what takes long fails by libFuzzer's own guard. */
#include "fuzz.h"

#include "base/base.h"

static struct regex *make(const char *pattern, enum regex_use use)
{
    struct regex *regex = NULL;
    struct fault fault = { 0 };

    if (regex_new(pattern, use, &regex, &fault) != 0 && fault.text[0] == '\0')
        abort(); /* nothing is refused without a sentence */
    return regex;
}

/* Every match by itself: nothing changes. */
static void replace_by_itself(const struct regex *regex, const char *text, size_t len)
{
    struct buf out = { 0 };

    if (regex_replace(regex, text, len, "\\0", &out) == 0 &&
        (buf_len(&out) != len || (len > 0 && memcmp(buf_bytes(&out), text, len) != 0)))
        abort();
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t first = end ? (size_t) (end - data) : size, len = end ? size - first - 1 : 0;
    char *pattern = fuzz_text(data, first), *text = malloc(len + 1);
    struct regex *matching = make(pattern, REGEX_TO_MATCH), *replacing = make(pattern, REGEX_TO_REPLACE);

    if (!text)
        abort();
    if (len > 0)
        memcpy(text, end + 1, len);
    if (matching)
        regex_matches(matching, text, len);
    if (replacing) /* there is less room for its pattern: steps are counted in it */
        replace_by_itself(replacing, text, len);
    regex_free(matching);
    regex_free(replacing);
    free(text);
    free(pattern);
    return 0;
}
