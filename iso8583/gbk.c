/* gbk.c - the GBK table, taken from the C library's converter when a dialect needs it.
 * Control thread, at load. */
#include "iso8583/loader.h"

#include <iconv.h>

void load_gbk(struct loader *loader)
{
    struct gbk *gbk = arena_take(&loader->arena, sizeof(*gbk));
    iconv_t converter = iconv_open("UTF-16BE", "GBK");
    if (converter == (iconv_t)-1) {
        iso_report_add(loader->report, loader->dialect->name, 0, 0,
                       "this system's C library does not know GBK");
        return;
    }
    for (uint32_t code = 0x8100; code < 0xFF00; code++) {
        char in[2] = {(char)(code >> 8), (char)(code & 0xFF)};
        uint8_t out[4];
        char *from = in, *to = (char *)out;
        size_t left = sizeof(in), room = sizeof(out);
        if ((code & 0xFF) < 0x40 || (code & 0xFF) == 0x7F)
            continue;
        (void)iconv(converter, NULL, NULL, NULL, NULL);
        if (iconv(converter, &from, &left, &to, &room) == (size_t)-1 || left != 0 || room != 2)
            continue;
        uint16_t unicode = load_be16(out);
        gbk->to_unicode[code - 0x8000] = unicode;
        if (gbk->from_unicode[unicode] == 0)
            gbk->from_unicode[unicode] = (uint16_t)code;
    }
    (void)iconv_close(converter);
    loader->dialect->gbk = gbk;
}
