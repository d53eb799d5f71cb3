// pread and clock_gettime are POSIX, which strict C11 leaves out.
#define _POSIX_C_SOURCE 200809L

#include "cvideo.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

struct cvideo {
    cvideo_source source;
    int64_t position;
    double deadline;

    AVIOContext *io;
    AVFormatContext *format;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame;
    int stream;

    // Conversion to RGB, made anew when frames change.
    struct SwsContext *scaler;
    int scaler_width, scaler_height, scaler_format, scaler_space, scaler_range;
    int width, height;
    uint8_t *rgb;
    int rgb_stride;
};

// Bytes that the container's parser asks for at a time.
enum { IO_BUFFER = 1 << 16 };
// Bytes looked at to tell the container.
enum { PROBE_BYTES = 1 << 20 };

// Containers that hold their own data. FFmpeg's other demuxers are lists of further files to open (HLS, DASH, concat,
// image sequences), devices, or formats without moving pictures.
static const char *const containers[] = {
    "mov",    "matroska", "webm",      "avi",  "flv",  "mpegts",   "mpeg", "mpegvideo", "m4v",          "ogg",    "asf",
    "gif",    "apng",     "mjpeg",     "h264", "hevc", "av1",      "obu",  "ivf",       "rm",           "mxf",    "nut",
    "wtv",    "dv",       "vc1",       "nuv",  "swf",  "live_flv", "h263", "h261",      "yuv4mpegpipe", "mpjpeg", "gxf",
    "smjpeg", "dirac",    "cavsvideo", "roq",  "bink", "smk",      "pva",  "webp_anim",
};

static void quiet(void *context, int level, const char *format, va_list arguments) {
    (void)context, (void)level, (void)format, (void)arguments;
}

static pthread_once_t init_once = PTHREAD_ONCE_INIT;

// Standard error belongs to the program.
static void init(void) {
    av_log_set_callback(quiet);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int must_stop(void *context) {
    cvideo *video = context;
    return now() > video->deadline;
}

static int read_bytes(void *context, uint8_t *buffer, int count) {
    cvideo *video = context;
    if (must_stop(video))
        return AVERROR_EXIT;
    int64_t rest = video->source.size - video->position;
    if (rest <= 0)
        return AVERROR_EOF;
    if (count > rest)
        count = (int)rest;
    if (video->source.descriptor >= 0) {
        ssize_t done;
        do
            done = pread(video->source.descriptor, buffer, (size_t)count, (off_t)video->position);
        while (done < 0 && errno == EINTR);
        if (done < 0)
            return AVERROR(errno);
        if (done == 0)
            return AVERROR_EOF;
        count = (int)done;
    } else {
        memcpy(buffer, video->source.bytes + video->position, (size_t)count);
    }
    video->position += count;
    return count;
}

static int64_t seek_bytes(void *context, int64_t offset, int whence) {
    cvideo *video = context;
    int64_t base;
    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
        return video->source.size;
    case SEEK_SET:
        base = 0;
        break;
    case SEEK_CUR:
        base = video->position;
        break;
    case SEEK_END:
        base = video->source.size;
        break;
    default:
        return AVERROR(EINVAL);
    }
    if (offset > INT64_MAX - base || base + offset < 0)
        return AVERROR(EINVAL);
    return video->position = base + offset;
}

static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags, AVDictionary **options) {
    (void)format, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EPERM);
}

static void say(char *error, size_t capacity, const char *what, int code) {
    char reason[AV_ERROR_MAX_STRING_SIZE] = "";
    if (code != 0)
        av_strerror(code, reason, sizeof reason);
    snprintf(error, capacity, "%s%s%s", what, code != 0 ? ": " : "", reason);
}

static int is_allowed(const AVInputFormat *input) {
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++)
        if (av_match_name(containers[i], input->name))
            return 1;
    return 0;
}

// The video's rotation, as players apply it: a whole number of quarter turns, or none.
static int rotation_of(const AVStream *stream) {
    const int32_t *matrix = NULL;
    size_t bytes = 0;
#if LIBAVFORMAT_VERSION_MAJOR >= 61
    const AVPacketSideData *side = av_packet_side_data_get(
        stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    if (side != NULL) {
        matrix = (const int32_t *)side->data;
        bytes = side->size;
    }
#else
    matrix = (const int32_t *)av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &bytes);
#endif
    if (matrix == NULL || bytes < 9 * sizeof(int32_t))
        return 0;
    double degrees = -av_display_rotation_get(matrix);
    if (!(degrees >= -360 && degrees <= 360))
        return 0;
    int quarters = (int)((degrees + 720 + 0.5) / 90);
    double rest = degrees + 720 - 90 * quarters;
    return rest > -1 && rest < 1 ? quarters % 4 * 90 : 0;
}

static int open_container(cvideo *video, const cvideo_limits *limits, char *error, size_t capacity) {
    uint8_t *buffer = av_malloc(IO_BUFFER);
    video->io = buffer ? avio_alloc_context(buffer, IO_BUFFER, 0, video, read_bytes, NULL, seek_bytes) : NULL;
    if (video->io == NULL) {
        av_free(buffer);
        say(error, capacity, "out of memory", 0);
        return -1;
    }
    const AVInputFormat *input = NULL;
    int code = av_probe_input_buffer2(video->io, &input, "", NULL, 0, PROBE_BYTES);
    if (code < 0 || input == NULL || !is_allowed(input)) {
        snprintf(error, capacity, "expected a video, found %s",
                 input != NULL ? input->name : "data that no video container begins with");
        return -1;
    }
    AVFormatContext *format = avformat_alloc_context();
    if (format == NULL) {
        say(error, capacity, "out of memory", 0);
        return -1;
    }
    format->pb = video->io;
    format->flags |= AVFMT_FLAG_CUSTOM_IO;
    format->io_open = refuse_open;
    format->interrupt_callback = (AVIOInterruptCB){must_stop, video};
    AVDictionary *options = NULL;
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    code = avformat_open_input(&format, "", input, &options);
    av_dict_free(&options);
    if (code < 0) {
        say(error, capacity, "the container cannot be read", code);
        return -1;
    }
    video->format = format;
    // Looking for missing parameters decodes frames: with the limits of later decoding.
    unsigned count = format->nb_streams;
    AVDictionary **stream_options = av_calloc(count > 0 ? count : 1, sizeof *stream_options);
    if (stream_options == NULL) {
        say(error, capacity, "out of memory", 0);
        return -1;
    }
    for (unsigned i = 0; i < count; i++)
        av_dict_set_int(&stream_options[i], "max_pixels", limits->max_pixels, 0);
    code = avformat_find_stream_info(format, stream_options);
    for (unsigned i = 0; i < count; i++)
        av_dict_free(&stream_options[i]);
    av_free(stream_options);
    if (code < 0)
        say(error, capacity, "the streams cannot be read", code);
    return code < 0 ? -1 : 0;
}

static int open_decoder(cvideo *video, const cvideo_limits *limits, char *error, size_t capacity) {
    const AVCodec *codec = NULL;
    int index = av_find_best_stream(video->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    // The cover of a song is a picture, not a video.
    if (index < 0 || video->format->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC) {
        int lacks_decoder = index == AVERROR_DECODER_NOT_FOUND;
        say(error, capacity, lacks_decoder ? "no decoder for its video" : "it has no moving pictures", 0);
        return -1;
    }
    AVStream *stream = video->format->streams[index];
    const AVCodecParameters *parameters = stream->codecpar;
    if (parameters->width > 0 && parameters->height > 0 &&
        (int64_t)parameters->width * parameters->height > limits->max_pixels) {
        snprintf(error, capacity, "expected at most %lld pixels a frame, found %dx%d", (long long)limits->max_pixels,
                 parameters->width, parameters->height);
        return -1;
    }
    video->stream = index;
    for (unsigned i = 0; i < video->format->nb_streams; i++)
        if ((int)i != index)
            video->format->streams[i]->discard = AVDISCARD_ALL;
    AVCodecContext *decoder = video->decoder = avcodec_alloc_context3(codec);
    if (decoder == NULL || avcodec_parameters_to_context(decoder, stream->codecpar) < 0) {
        say(error, capacity, "out of memory", 0);
        return -1;
    }
    decoder->thread_count = limits->threads;
    decoder->max_pixels = limits->max_pixels;
    decoder->pkt_timebase = stream->time_base;
    int code = avcodec_open2(decoder, codec, NULL);
    if (code < 0)
        say(error, capacity, "its decoder does not start", code);
    return code < 0 ? -1 : 0;
}

static int describe(cvideo *video, cvideo_info *info, char *error, size_t capacity) {
    const AVStream *stream = video->format->streams[video->stream];
    memset(info, 0, sizeof *info);
    snprintf(info->container, sizeof info->container, "%s", video->format->iformat->name);
    snprintf(info->codec, sizeof info->codec, "%s", avcodec_get_name(stream->codecpar->codec_id));
    info->width = video->width = stream->codecpar->width;
    info->height = video->height = stream->codecpar->height;
    info->rotation = rotation_of(stream);
    info->rate_numerator = stream->avg_frame_rate.num;
    info->rate_denominator = stream->avg_frame_rate.den;
    info->base_numerator = stream->time_base.num;
    info->base_denominator = stream->time_base.den;
    if (video->format->duration != AV_NOPTS_VALUE && video->format->duration > 0)
        info->duration = (double)video->format->duration / AV_TIME_BASE;
    if (info->width <= 0 || info->height <= 0) {
        say(error, capacity, "its frames have no size", 0);
        return -1;
    }
    if (info->width > INT_MAX / 8) {
        say(error, capacity, "its frames are too wide", 0);
        return -1;
    }
    return 0;
}

cvideo *cvideo_open(const cvideo_source *source, const cvideo_limits *limits, cvideo_info *info, char *error,
                    size_t error_capacity) {
    pthread_once(&init_once, init);
    cvideo *video = av_mallocz(sizeof *video);
    if (video == NULL) {
        say(error, error_capacity, "out of memory", 0);
        return NULL;
    }
    video->source = *source;
    cvideo_set_deadline(video, limits->seconds);
    video->packet = av_packet_alloc();
    video->frame = av_frame_alloc();
    int failed = 1;
    if (video->packet == NULL || video->frame == NULL)
        say(error, error_capacity, "out of memory", 0);
    else
        failed = open_container(video, limits, error, error_capacity) != 0 ||
                 open_decoder(video, limits, error, error_capacity) != 0 ||
                 describe(video, info, error, error_capacity) != 0;
    if (failed && must_stop(video))
        say(error, error_capacity, "opening it takes too long", 0);
    if (failed) {
        cvideo_close(video);
        return NULL;
    }
    return video;
}

void cvideo_close(cvideo *video) {
    if (video == NULL)
        return;
    sws_freeContext(video->scaler);
    av_free(video->rgb);
    avcodec_free_context(&video->decoder);
    avformat_close_input(&video->format);
    if (video->io != NULL) {
        av_freep(&video->io->buffer);
        avio_context_free(&video->io);
    }
    av_packet_free(&video->packet);
    av_frame_free(&video->frame);
    av_free(video);
}

void cvideo_set_deadline(cvideo *video, double seconds) {
    video->deadline = now() + seconds;
}

int cvideo_read(cvideo *video, cvideo_packet *packet) {
    for (;;) {
        av_packet_unref(video->packet);
        if (must_stop(video))
            return CVIDEO_TIMED_OUT;
        int code = av_read_frame(video->format, video->packet);
        if (code < 0) {
            if (must_stop(video))
                return CVIDEO_TIMED_OUT;
            // A file that breaks off ends there: its frames up to that place are whole.
            return 0;
        }
        if (video->packet->stream_index != video->stream)
            continue;
        packet->pts = video->packet->pts == AV_NOPTS_VALUE ? CVIDEO_NO_TIME : video->packet->pts;
        packet->dts = video->packet->dts == AV_NOPTS_VALUE ? CVIDEO_NO_TIME : video->packet->dts;
        packet->is_key = (video->packet->flags & AV_PKT_FLAG_KEY) != 0;
        return 1;
    }
}

int cvideo_seek(cvideo *video, int64_t time) {
    avcodec_flush_buffers(video->decoder);
    av_packet_unref(video->packet);
    return av_seek_frame(video->format, video->stream, time, AVSEEK_FLAG_BACKWARD) < 0 ? CVIDEO_FAILED : 0;
}

int cvideo_send(cvideo *video, int frame_wanted) {
    video->decoder->skip_frame = frame_wanted ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
    int code = avcodec_send_packet(video->decoder, video->packet);
    if (code == AVERROR(EAGAIN))
        return 1;
    return code < 0 ? CVIDEO_FAILED : 0;
}

void cvideo_drain(cvideo *video) {
    video->decoder->skip_frame = AVDISCARD_DEFAULT;
    avcodec_send_packet(video->decoder, NULL);
}

int cvideo_receive(cvideo *video, int64_t *pts) {
    if (must_stop(video))
        return CVIDEO_TIMED_OUT;
    int code = avcodec_receive_frame(video->decoder, video->frame);
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
        return 0;
    if (code < 0)
        return CVIDEO_FAILED;
    int64_t time = video->frame->best_effort_timestamp;
    *pts = time == AV_NOPTS_VALUE ? CVIDEO_NO_TIME : time;
    return 1;
}

// The conversion follows the stream's own colour matrix and range; ITU-R 601 where it names none.
static int prepare_scaler(cvideo *video, const AVFrame *frame) {
    int range = frame->color_range == AVCOL_RANGE_JPEG;
    if (video->scaler != NULL && video->scaler_width == frame->width && video->scaler_height == frame->height &&
        video->scaler_format == frame->format && video->scaler_space == (int)frame->colorspace &&
        video->scaler_range == range)
        return 0;
    sws_freeContext(video->scaler);
    video->scaler = sws_getContext(frame->width, frame->height, frame->format, video->width, video->height,
                                   AV_PIX_FMT_RGB24, SWS_BILINEAR, NULL, NULL, NULL);
    if (video->scaler == NULL)
        return CVIDEO_FAILED;
    int *unused, source_range, target_range, brightness, contrast, saturation;
    if (sws_getColorspaceDetails(video->scaler, &unused, &source_range, &unused, &target_range, &brightness, &contrast,
                                 &saturation) >= 0) {
        // The full-range pixel formats say so by themselves.
        if (frame->color_range != AVCOL_RANGE_UNSPECIFIED)
            source_range = range;
        int space = (int)frame->colorspace;
        int is_known = space >= AVCOL_SPC_BT709 && space <= AVCOL_SPC_BT2020_CL && space != AVCOL_SPC_YCGCO;
        sws_setColorspaceDetails(video->scaler, sws_getCoefficients(is_known ? space : SWS_CS_ITU601), source_range,
                                 sws_getCoefficients(SWS_CS_DEFAULT), target_range, brightness, contrast, saturation);
    }
    video->scaler_width = frame->width;
    video->scaler_height = frame->height;
    video->scaler_format = frame->format;
    video->scaler_space = (int)frame->colorspace;
    video->scaler_range = range;
    return 0;
}

int cvideo_rgb(cvideo *video, uint8_t *pixels) {
    const AVFrame *frame = video->frame;
    if (frame->width <= 0 || frame->height <= 0 || frame->format < 0 || prepare_scaler(video, frame) != 0)
        return CVIDEO_FAILED;
    // Vector code writes whole registers: rows of its own, with room behind them.
    if (video->rgb == NULL) {
        video->rgb_stride = (video->width * 3 + 63) / 64 * 64 + 64;
        video->rgb = av_malloc((size_t)video->rgb_stride * (size_t)video->height + 64);
        if (video->rgb == NULL)
            return CVIDEO_FAILED;
    }
    uint8_t *planes[4] = {video->rgb, NULL, NULL, NULL};
    int strides[4] = {video->rgb_stride, 0, 0, 0};
    if (sws_scale(video->scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, planes,
                  strides) != video->height)
        return CVIDEO_FAILED;
    for (int y = 0; y < video->height; y++)
        memcpy(pixels + (size_t)y * (size_t)video->width * 3, video->rgb + (size_t)y * (size_t)video->rgb_stride,
               (size_t)video->width * 3);
    return 0;
}
