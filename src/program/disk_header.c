/* What an entry file starts with: little-endian numbers and zero-padded texts at fixed places, then the payload.
 *     0 magic[8]   8 u32 format  12 u32 header bytes  16 u64 payload bytes  24 payload checksum[16]
 *    40 key[128]  168 name[256]  424 zero             448 header checksum[16] */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

#include "program/disk.h"

static const unsigned char magic[8] = {'c', 'l', 'a', 't', 't', 'n', 0x1a, '\n'};

enum {
    AT_FORMAT = 8,
    AT_HEADER = 12,
    AT_PAYLOAD = 16,
    AT_PAYLOAD_SUM = 24,
    AT_KEY = 40,
    AT_NAME = AT_KEY + CT_DISK_KEY,
    AT_HEADER_SUM = CT_DISK_HEADER - 16,
    SUM_BYTES = 16
};

static void put(unsigned char *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        to[i] = (unsigned char)(value >> (8 * i));
    }
}

static uint64_t get(const unsigned char *from, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value |= (uint64_t)from[i] << (8 * i);
    }
    return value;
}

static void put_sum(unsigned char *to, const void *data, size_t bytes)
{
    XXH128_canonical_t sum;
    XXH128_canonicalFromHash(&sum, XXH3_128bits(data, bytes));
    memcpy(to, sum.digest, SUM_BYTES);
}

static bool same_sum(const unsigned char *sum, const void *data, size_t bytes)
{
    unsigned char now[SUM_BYTES];
    put_sum(now, data, bytes);
    return memcmp(now, sum, SUM_BYTES) == 0;
}

static void put_text(unsigned char *to, const char *text, size_t room)
{
    const size_t length = strlen(text);
    memcpy(to, text, length < room - 1 ? length : room - 1);
}

void ct_disk_header_write(unsigned char header[CT_DISK_HEADER], const char *key, const char *name,
                          const unsigned char *payload, size_t bytes)
{
    memset(header, 0, CT_DISK_HEADER);
    memcpy(header, magic, sizeof magic);
    put(header + AT_FORMAT, CT_DISK_FORMAT, 4);
    put(header + AT_HEADER, CT_DISK_HEADER, 4);
    put(header + AT_PAYLOAD, bytes, 8);
    put_sum(header + AT_PAYLOAD_SUM, payload, bytes);
    put_text(header + AT_KEY, key, CT_DISK_KEY);
    put_text(header + AT_NAME, name, CT_DISK_NAME);
    put_sum(header + AT_HEADER_SUM, header, AT_HEADER_SUM);
}

const char *ct_disk_header_check(const unsigned char *header, const char *key, uint64_t file_bytes)
{
    if (memcmp(header, magic, sizeof magic) != 0) {
        return "is no cache entry";
    }
    if (get(header + AT_FORMAT, 4) != CT_DISK_FORMAT || get(header + AT_HEADER, 4) != CT_DISK_HEADER) {
        return "has another format";
    }
    if (!same_sum(header + AT_HEADER_SUM, header, AT_HEADER_SUM)) {
        return "has a broken header";
    }
    if (strncmp((const char *)header + AT_KEY, key, CT_DISK_KEY) != 0) {
        return "holds another key";
    }
    if (get(header + AT_PAYLOAD, 8) != file_bytes - CT_DISK_HEADER) {
        return "has another length than its header says";
    }
    return NULL;
}

const char *ct_disk_payload_check(const unsigned char *header, const unsigned char *payload, size_t bytes)
{
    return same_sum(header + AT_PAYLOAD_SUM, payload, bytes) ? NULL : "fails its checksum";
}
