#include "cvips.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <vips/vips.h>

struct cvips_picture {
    VipsImage *image;
};

// Rows asked for at a time: the height libvips itself reads JPEG and PNG in, so that no line is copied twice.
enum { STRIP_ROWS = 16 };

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static int init_result = -1;

// A JPEG whose data ends early but in order is grey from there on: to libjpeg a mere warning among harmless ones, so
// it is told from its text. Logged on the thread that decodes.
static _Thread_local int data_ended_early;

// libvips reports what it mends (odd EXIF, extraneous bytes) on stderr, which belongs to the program, not to us.
static void take_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer user) {
    (void)domain, (void)level, (void)user;
    if (message != NULL && strstr(message, "premature end of data segment") != NULL)
        data_ended_early = 1;
}

static void init(void) {
    g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG, take_log, NULL);
    init_result = VIPS_INIT("qwenvl");
    if (init_result != 0)
        return;
    vips_block_untrusted_set(TRUE);
    // Called by name where the caller allows documents; librsvg and Poppler are given bytes without a place, so that
    // nothing beside them can be opened.
    vips_operation_block_set("VipsForeignLoadSvg", FALSE);
    vips_operation_block_set("VipsForeignLoadPdf", FALSE);
    // Every picture is decoded once: a cache would only hold memory.
    vips_cache_set_max(0);
    // Parallelism is over pictures, in the caller's bounded jobs.
    vips_concurrency_set(1);
}

// libvips keeps one error text for the process, and tells a JPEG's warnings from it: two threads at once could miss
// that data ended early. So pictures are decoded one at a time; resizing and cutting up run beside it.
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void take_error(char *error, size_t capacity) {
    const char *text = vips_error_buffer();
    if (capacity > 0) {
        snprintf(error, capacity, "%s", text != NULL && text[0] != 0 ? text : "unknown libvips error");
        size_t end = strlen(error);
        while (end > 0 && error[end - 1] == '\n')
            error[--end] = 0;
    }
    vips_error_clear();
}

int cvips_init(char *error, size_t error_capacity) {
    pthread_once(&init_once, init);
    if (init_result != 0)
        take_error(error, error_capacity);
    return init_result;
}

static VipsImage *load(const cvips_request *request, void *data, size_t count) {
    VipsImage *image = NULL;
    int failed = -1;
    switch (request->format) {
    case CVIPS_JPEG:
        failed = vips_jpegload_buffer(data, count, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                      VIPS_FAIL_ON_ERROR, NULL);
        break;
    case CVIPS_PNG:
        failed = vips_pngload_buffer(data, count, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                     VIPS_FAIL_ON_ERROR, NULL);
        break;
    case CVIPS_WEBP:
        failed = vips_webpload_buffer(data, count, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                      VIPS_FAIL_ON_ERROR, "page", request->page, NULL);
        break;
    case CVIPS_GIF:
        failed = vips_gifload_buffer(data, count, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                     VIPS_FAIL_ON_ERROR, "page", request->page, NULL);
        break;
    case CVIPS_TIFF:
        failed = vips_tiffload_buffer(data, count, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                      VIPS_FAIL_ON_ERROR, "page", request->page, NULL);
        break;
    case CVIPS_HEIF:
        failed = vips_heifload_buffer(data, count, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                      VIPS_FAIL_ON_ERROR, "page", request->page, NULL);
        break;
    case CVIPS_SVG:
        failed = vips_svgload_buffer(data, count, &image, "access", VIPS_ACCESS_SEQUENTIAL, "dpi", request->dpi, NULL);
        break;
    case CVIPS_PDF:
        failed = vips_pdfload_buffer(data, count, &image, "access", VIPS_ACCESS_SEQUENTIAL, "page", request->page,
                                     "dpi", request->dpi, NULL);
        break;
    }
    return failed ? NULL : image;
}

// Samples that are no plain grey, RGB or CMYK of 8 or 16 bits (Lab, floating point) come as 8-bit sRGB.
static VipsImage *plain(VipsImage *image) {
    VipsBandFormat samples = vips_image_get_format(image);
    int is_plain = 0;
    switch (vips_image_get_interpretation(image)) {
    case VIPS_INTERPRETATION_B_W:
    case VIPS_INTERPRETATION_sRGB:
    case VIPS_INTERPRETATION_RGB:
    case VIPS_INTERPRETATION_CMYK:
    case VIPS_INTERPRETATION_MULTIBAND:
        is_plain = samples == VIPS_FORMAT_UCHAR || samples == VIPS_FORMAT_USHORT;
        break;
    case VIPS_INTERPRETATION_GREY16:
    case VIPS_INTERPRETATION_RGB16:
        is_plain = samples == VIPS_FORMAT_USHORT;
        break;
    default:
        break;
    }
    if (is_plain)
        return image;
    VipsImage *converted = NULL, *bytes = NULL;
    if (vips_colourspace(image, &converted, VIPS_INTERPRETATION_sRGB, NULL) == 0)
        vips_cast_uchar(converted, &bytes, NULL);
    g_clear_object(&converted);
    g_object_unref(image);
    return bytes;
}

static void describe(VipsImage *image, cvips_header *header) {
    header->width = vips_image_get_width(image);
    header->height = vips_image_get_height(image);
    header->pages = vips_image_get_n_pages(image);
    header->bands = vips_image_get_bands(image);
    header->is_cmyk = vips_image_get_interpretation(image) == VIPS_INTERPRETATION_CMYK;
    header->bits_per_sample = vips_image_get_format(image) == VIPS_FORMAT_USHORT ? 16 : 8;
    header->orientation = vips_image_get_orientation(image);
    header->profile = NULL;
    header->profile_bytes = 0;
    if (vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0 &&
        vips_image_get_blob(image, VIPS_META_ICC_NAME, &header->profile, &header->profile_bytes) != 0)
        vips_error_clear();
}

cvips_picture *cvips_open(const cvips_request *request, const void *data, size_t count, cvips_header *header,
                          char *error, size_t error_capacity) {
    pthread_mutex_lock(&one_at_a_time);
    // The loaders take a mutable pointer and only read.
    VipsImage *image = load(request, (void *)data, count);
    if (image != NULL)
        image = plain(image);
    if (image == NULL)
        take_error(error, error_capacity);
    else
        describe(image, header);
    pthread_mutex_unlock(&one_at_a_time);
    if (image == NULL)
        return NULL;
    VipsBandFormat samples = vips_image_get_format(image);
    if ((samples != VIPS_FORMAT_UCHAR && samples != VIPS_FORMAT_USHORT) || header->bands < 1 || header->bands > 4) {
        snprintf(error, error_capacity, "%d bands of %s, expected 1 to 4 of 8 or 16 bits", header->bands,
                 vips_enum_nick(VIPS_TYPE_BAND_FORMAT, samples));
        g_object_unref(image);
        return NULL;
    }
    cvips_picture *picture = g_new(cvips_picture, 1);
    picture->image = image;
    return picture;
}

int cvips_use_profile(cvips_picture *picture, char *error, size_t error_capacity) {
    VipsImage *image = picture->image, *converted = NULL;
    int bands = vips_image_get_bands(image), depth = vips_image_get_format(image) == VIPS_FORMAT_USHORT ? 16 : 8;
    pthread_mutex_lock(&one_at_a_time);
    // The perceptual intent is what viewers use; of a profile of three curves and a matrix it is the colorimetric one.
    int result = vips_icc_transform(image, &converted, "srgb", "embedded", TRUE, "intent", VIPS_INTENT_PERCEPTUAL,
                                    "depth", depth, NULL);
    if (result != 0)
        take_error(error, error_capacity);
    pthread_mutex_unlock(&one_at_a_time);
    if (result == 0 && vips_image_get_bands(converted) != bands) {
        snprintf(error, error_capacity, "the profile makes %d bands of %d", vips_image_get_bands(converted), bands);
        g_object_unref(converted);
        result = -1;
    }
    if (result == 0) {
        g_object_unref(image);
        picture->image = converted;
    }
    return result;
}

static void copy_rows(VipsRegion *region, const VipsRect *strip, size_t samples_per_row, int is_wide, uint8_t *out) {
    for (int y = strip->top; y < strip->top + strip->height; y++) {
        const uint8_t *row = (const uint8_t *)VIPS_REGION_ADDR(region, 0, y);
        uint8_t *target = out + (size_t)y * samples_per_row;
        if (is_wide) {
            const uint16_t *wide = (const uint16_t *)row;
            for (size_t x = 0; x < samples_per_row; x++)
                target[x] = (uint8_t)(wide[x] >> 8);
        } else {
            memcpy(target, row, samples_per_row);
        }
    }
}

int cvips_decode(cvips_picture *picture, uint8_t *pixels, char *error, size_t error_capacity) {
    VipsImage *image = picture->image;
    int width = vips_image_get_width(image);
    int height = vips_image_get_height(image);
    size_t samples_per_row = (size_t)width * (size_t)vips_image_get_bands(image);
    int is_wide = vips_image_get_format(image) == VIPS_FORMAT_USHORT;

    pthread_mutex_lock(&one_at_a_time);
    data_ended_early = 0;
    vips_error_clear();
    VipsRegion *region = vips_region_new(image);
    int result = region == NULL ? -1 : 0;
    for (int y = 0; result == 0 && y < height; y += STRIP_ROWS) {
        VipsRect strip = {0, y, width, VIPS_MIN(STRIP_ROWS, height - y)};
        result = vips_region_prepare(region, &strip);
        if (result == 0)
            copy_rows(region, &strip, samples_per_row, is_wide, pixels);
    }
    if (region != NULL)
        g_object_unref(region);
    // libvips counts a JPEG's warnings up when it closes the picture.
    g_clear_object(&picture->image);
    if (result != 0) {
        take_error(error, error_capacity);
    } else if (data_ended_early) {
        snprintf(error, error_capacity, "the data ends before the picture does");
        result = -1;
    }
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

void cvips_close(cvips_picture *picture) {
    g_clear_object(&picture->image);
    g_free(picture);
}

int cvips_write_png(const uint8_t *pixels, int32_t width, int32_t height, const char *path, char *error,
                    size_t error_capacity) {
    if (cvips_init(error, error_capacity) != 0)
        return -1;
    pthread_mutex_lock(&one_at_a_time);
    VipsImage *image =
        vips_image_new_from_memory(pixels, (size_t)width * (size_t)height * 3, width, height, 3, VIPS_FORMAT_UCHAR);
    // Frames are looked at once; the fastest compression does.
    int result = image == NULL ? -1 : vips_pngsave(image, path, "compression", 1, NULL);
    if (result != 0)
        take_error(error, error_capacity);
    if (image != NULL)
        g_object_unref(image);
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

cvips_hash *cvips_hash_begin(void) {
    return (cvips_hash *)g_checksum_new(G_CHECKSUM_SHA256);
}

void cvips_hash_add(cvips_hash *hash, const void *data, size_t count) {
    const guchar *bytes = data;
    // GLib counts in signed words; pieces keep any size below that.
    enum { PIECE = 1 << 30 };
    for (size_t at = 0; at < count; at += PIECE)
        g_checksum_update((GChecksum *)hash, bytes + at, (gssize)VIPS_MIN(count - at, (size_t)PIECE));
}

void cvips_hash_end(cvips_hash *hash, uint8_t digest[32]) {
    gsize length = 32;
    g_checksum_get_digest((GChecksum *)hash, digest, &length);
    g_checksum_free((GChecksum *)hash);
}

void cvips_sha256(const void *data, size_t count, uint8_t digest[32]) {
    cvips_hash *hash = cvips_hash_begin();
    cvips_hash_add(hash, data, count);
    cvips_hash_end(hash, digest);
}
