// Pictures through libvips: open a header, look at it, then decode.
//
// Only the JPEG, PNG and WebP loaders are ever called, each by name; libvips never guesses a format.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum {
    CVIPS_JPEG = 0,
    CVIPS_PNG = 1,
    CVIPS_WEBP = 2,
} cvips_format;

typedef struct {
    int32_t width, height;
    int32_t bands;           // samples per pixel as decoded: 1 L, 2 LA, 3 RGB, 4 RGBA or CMYK
    int32_t is_cmyk;         // 1 when the four bands are cyan, magenta, yellow, key
    int32_t bits_per_sample; // 8 or 16 in the file; cvips_decode always gives 8
    int32_t orientation;     // EXIF orientation 1...8; 1 where there is none
} cvips_header;

typedef struct cvips_picture cvips_picture;

/// Initialises libvips once per process; thread-safe. 0, or -1 with the reason in `error`.
int cvips_init(char *error, size_t error_capacity);

/// Reads a picture's header. `data` must outlive the picture. NULL on failure, with the reason in `error`.
cvips_picture *cvips_open(cvips_format format, const void *data, size_t count, cvips_header *header, char *error,
                          size_t error_capacity);

/// Decodes, once, into `pixels`, `width * height * bands` bytes, rows top down without padding.
/// Of 16-bit samples the high byte is kept. 0, or -1 with the reason in `error`.
int cvips_decode(cvips_picture *picture, uint8_t *pixels, char *error, size_t error_capacity);

void cvips_close(cvips_picture *picture);

/// SHA-256 of `count` bytes, by GLib, which libvips brings along.
void cvips_sha256(const void *data, size_t count, uint8_t digest[32]);
