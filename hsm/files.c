/* files.c - see files.h. Start-up and ringctl only. */
#include "hsm/files.h"

#include "base/bytes.h"
#include "base/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512u
#define LINE_BYTES 256u

bool hsm_secret_file_read(const char *path, uint8_t *secret, size_t secret_max, size_t *secret_size,
                          char *text, size_t text_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        (void)snprintf(text, text_size, "%s: %s", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return false;
    }
    if (!S_ISREG(status.st_mode) || (status.st_mode & 077) != 0 || status.st_uid != geteuid()) {
        (void)close(fd);
        (void)snprintf(text, text_size,
                       "%s: others may read it, or it is not ours: chmod 600 and chown it", path);
        return false;
    }
    uint8_t line[HSM_SECRET_TEXT_MAX + 1];
    ssize_t size = read(fd, line, sizeof line);
    (void)close(fd);
    const uint8_t *end = size > 0 ? memchr(line, '\n', (size_t)size) : NULL;
    size_t found = end != NULL ? (size_t)(end - line) : size > 0 ? (size_t)size : 0;
    bool good = found > 0 && found <= HSM_SECRET_TEXT_MAX && found <= secret_max;
    if (good) {
        memcpy(secret, line, found);
        *secret_size = found;
    } else {
        (void)snprintf(text, text_size, "%s:1: is empty, or longer than %u characters", path,
                       HSM_SECRET_TEXT_MAX);
    }
    secret_wipe(line, sizeof line);
    return good;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0) {
            return false;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return fsync(fd) == 0;
}

bool hsm_secret_file_write(const char *path, const char *line, char *text, size_t text_size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write_all(fd, line, strlen(line)) && write_all(fd, "\n", 1);
    if (!written) {
        (void)snprintf(text, text_size, "%s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return written;
}

static bool parse_line(const char *line, struct hsm_wrapped_key *key)
{
    char id[10], hex[2 * HSM_WRAPPED_BYTES + 1], rest[2];
    int64_t number = 0;
    size_t size = 0;
    _Static_assert(sizeof key->label == 32 && sizeof hex == 121, "the widths below");
    if (sscanf(line, "%31s %9s %120s %1s", key->label, id, hex, rest) != 3 ||
        !bytes_to_number((const uint8_t *)id, (uint32_t)strlen(id), &number) || number == 0 ||
        !bytes_from_hex(hex, strlen(hex), key->bytes, sizeof key->bytes, &size)) {
        return false;
    }
    key->id = (uint32_t)number;
    return size == sizeof key->bytes;
}

bool hsm_wrapped_keys_read(const char *directory, struct hsm_wrapped_key *keys,
                           uint32_t *keys_count, char *text, size_t text_size)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    (void)snprintf(path, sizeof path, "%s/data-keys", directory);
    *keys_count = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        if (errno == ENOENT) {
            return true;
        }
        (void)snprintf(text, text_size, "%s: %s", path, strerror(errno));
        return false;
    }
    bool good = true;
    for (uint32_t number = 1; good && fgets(line, sizeof line, file) != NULL; number++) {
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        good = *keys_count < HSM_WRAPPED_KEYS_MAX && parse_line(line, &keys[*keys_count]);
        if (good) {
            (*keys_count)++;
        } else {
            (void)snprintf(text, text_size, "%s:%u: is not \"LABEL ID HEX\"", path, number);
        }
    }
    (void)fclose(file);
    return good;
}

bool hsm_wrapped_keys_write(const char *directory, const struct hsm_wrapped_key *keys,
                            uint32_t keys_count, char *text, size_t text_size)
{
    char path[PATH_BYTES], made[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/data-keys", directory);
    (void)snprintf(made, sizeof made, "%s/data-keys.new", directory);
    char content[(HSM_WRAPPED_KEYS_MAX + 1) * LINE_BYTES];
    int used = snprintf(content, sizeof content,
                        "# Data keys of this token, wrapped by its storage key. LABEL ID HEX\n");
    for (uint32_t i = 0; i < keys_count; i++) {
        char hex[2 * HSM_WRAPPED_BYTES + 1];
        bytes_to_hex(keys[i].bytes, sizeof keys[i].bytes, hex);
        used += snprintf(content + used, sizeof content - (size_t)used, "%s %u %s\n", keys[i].label,
                         keys[i].id, hex);
    }
    int fd = open(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write_all(fd, content, (size_t)used);
    if (fd >= 0) {
        written &= close(fd) == 0;
    }
    written = written && rename(made, path) == 0;
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    written = written && folder >= 0 && fsync(folder) == 0;
    if (!written) {
        (void)snprintf(text, text_size, "%s: %s", path, strerror(errno));
    }
    if (folder >= 0) {
        (void)close(folder);
    }
    return written;
}
