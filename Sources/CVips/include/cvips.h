// Pictures through libvips: open a header, look at it, then decode.
//
// Loaders are called by name, each for the one format that the first bytes tell; libvips never guesses a format, and
// all its loaders that are not meant for strangers' files are blocked but those of SVG and PDF.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum {
    CVIPS_JPEG = 0,
    CVIPS_PNG = 1,
    CVIPS_WEBP = 2,
    CVIPS_GIF = 3,
    CVIPS_TIFF = 4,
    CVIPS_HEIF = 5, // HEIC and AVIF
    CVIPS_SVG = 6,
    CVIPS_PDF = 7,
} cvips_format;

typedef struct {
    cvips_format format;
    int32_t page; // from 0, where a format has pages
    double dpi;   // what SVG and PDF are drawn at
} cvips_request;

typedef struct {
    int32_t width, height;
    int32_t pages;
    int32_t bands;           // samples per pixel as decoded: 1 L, 2 LA, 3 RGB, 4 RGBA or CMYK
    int32_t is_cmyk;         // 1 when the four bands are cyan, magenta, yellow, key
    int32_t bits_per_sample; // 8 or 16 in the file; cvips_decode always gives 8
    int32_t orientation;     // EXIF orientation 1...8; 1 where there is none
    const void *profile;     // the ICC profile in the file, or NULL; lives as long as the picture
    size_t profile_bytes;
} cvips_header;

typedef struct cvips_picture cvips_picture;

/// Initialises libvips once per process; thread-safe. 0, or -1 with the reason in `error`.
int cvips_init(char *error, size_t error_capacity);

/// Reads a picture's header. `data` must outlive the picture. NULL on failure, with the reason in `error`.
cvips_picture *cvips_open(const cvips_request *request, const void *data, size_t count, cvips_header *header,
                          char *error, size_t error_capacity);

/// Has the picture decoded to sRGB by the profile in its file. Bands and sizes stay. 0, or -1 with the reason.
int cvips_use_profile(cvips_picture *picture, char *error, size_t error_capacity);

/// Decodes, once, into `pixels`, `width * height * bands` bytes, rows top down without padding.
/// Of 16-bit samples the high byte is kept. 0, or -1 with the reason in `error`.
int cvips_decode(cvips_picture *picture, uint8_t *pixels, char *error, size_t error_capacity);

void cvips_close(cvips_picture *picture);

/// Writes 8-bit RGB as a PNG file. 0, or -1 with the reason in `error`.
int cvips_write_png(const uint8_t *pixels, int32_t width, int32_t height, const char *path, char *error,
                    size_t error_capacity);

/// SHA-256 of `count` bytes, by GLib, which libvips brings along.
void cvips_sha256(const void *data, size_t count, uint8_t digest[32]);

/// SHA-256 of bytes that come piece by piece.
typedef struct cvips_hash cvips_hash;
cvips_hash *cvips_hash_begin(void);
void cvips_hash_add(cvips_hash *hash, const void *data, size_t count);
/// Gives the digest and frees the hash.
void cvips_hash_end(cvips_hash *hash, uint8_t digest[32]);
