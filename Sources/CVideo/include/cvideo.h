// Videos through FFmpeg: packets of the one video stream, and the frames that they make.
//
// The file is read through callbacks from a descriptor or from memory; nothing else is ever opened, whatever the file
// names. A handle belongs to one thread at a time.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// A time that is not known.
static const int64_t CVIDEO_NO_TIME = INT64_MIN;

typedef struct {
    int32_t descriptor;   // a file to read by position; -1 for memory
    const uint8_t *bytes; // memory, which outlives the handle
    int64_t size;
} cvideo_source;

typedef struct {
    int64_t max_pixels; // of a frame
    double seconds;     // for opening; later ones by cvideo_set_deadline
    int32_t threads;    // that decode
} cvideo_limits;

typedef struct {
    char container[64];
    char codec[64];
    int32_t width, height;
    int32_t rotation;                         // degrees clockwise that the frames are to be turned: 0, 90, 180, 270
    int32_t rate_numerator;                   // frames per second on average, as the container says
    int32_t rate_denominator;                 // 0 where it does not
    int32_t base_numerator, base_denominator; // seconds of one unit of time
    double duration;                          // seconds as the container says, 0 where it does not
} cvideo_info;

typedef struct {
    int64_t pts, dts; // CVIDEO_NO_TIME where the container has none
    int32_t is_key;
} cvideo_packet;

typedef struct cvideo cvideo;

/// What calls give beside their own results.
enum {
    CVIDEO_FAILED = -1,
    CVIDEO_TIMED_OUT = -2,
};

/// Opens a file and finds its video stream. NULL on failure, with the reason in `error`, which says so where the file
/// has no moving pictures.
cvideo *cvideo_open(const cvideo_source *source, const cvideo_limits *limits, cvideo_info *info, char *error,
                    size_t error_capacity);
void cvideo_close(cvideo *video);

/// From now on, calls give up after so many seconds.
void cvideo_set_deadline(cvideo *video, double seconds);

/// Reads the next packet of the video stream and keeps it for cvideo_send. 1; 0 at the end of the file; or an error.
int cvideo_read(cvideo *video, cvideo_packet *packet);
/// Goes to a key frame at this time or before, forgetting all frames under way. 0, or an error.
int cvideo_seek(cvideo *video, int64_t time);

/// Gives the kept packet to the decoder. With `frame_wanted` 0 the decoder may leave the frame out, where no other
/// frame is made from it. 0; 1 where frames have to be received first; CVIDEO_FAILED where the packet is damaged.
int cvideo_send(cvideo *video, int frame_wanted);
/// Tells the decoder that no packet follows.
void cvideo_drain(cvideo *video);
/// Takes the next frame from the decoder. 1; 0 where packets have to be sent first; or an error. After
/// cvideo_drain 0 means that there is none left.
int cvideo_receive(cvideo *video, int64_t *pts);
/// The received frame as 8-bit RGB of `info`'s width and height, not turned: rows of width * 3 bytes. 0, or an error.
int cvideo_rgb(cvideo *video, uint8_t *pixels);
