// JPEG and PNG in memory, resampling, and PNG out. The libraries' longjmp error handling stays in
// here; nothing is kept between calls, so that any thread may call anything.
#ifndef CIMAGES_H
#define CIMAGES_H

#include <stddef.h>
#include <stdint.h>

enum { CLAT_IMAGE_MESSAGE = 200 };

/// What a file's header says.
typedef struct {
  int32_t width, height;
  /// Of the file: 1 grey, 2 grey and alpha, 3 colour or palette, 4 colour and alpha, or CMYK.
  int32_t channels;
} clat_image_info;

/// An image of 8 bits a channel, rows one after the other without gaps.
typedef struct {
  int32_t width, height, channels;
  uint8_t *pixels;
  /// Bytes allocated at `pixels`; a later image reuses them.
  size_t capacity;
} clat_image;

/// Reads a header. Returns 0, or 1 with a message.
int clat_image_inspect(const uint8_t *bytes, size_t count, clat_image_info *info,
                       char message[CLAT_IMAGE_MESSAGE]);

/// Decodes to RGB (channels 3) or grey (1). Alpha is dropped and colour profiles are ignored, as
/// Pillow's convert does; CMYK is converted by Pillow's formula; 16 bits are rounded to 8.
///
/// A JPEG may be decoded at 1/`reduction` of its size (1, 2, 4, 8; sizes are rounded up), which the
/// inverse DCT does at once; PNG ignores it. Returns 0, or 1 with a message.
int clat_image_decode(const uint8_t *bytes, size_t count, int32_t channels, int32_t reduction,
                      clat_image *image, char message[CLAT_IMAGE_MESSAGE]);

/// Frees the pixels.
void clat_image_free(clat_image *image);

/// A part of a picture, what it is scaled to, and the window of that which is wanted.
typedef struct {
  /// In pixels of the picture, within it.
  int32_t left, top, width, height;
  int32_t scaled_width, scaled_height;
  /// Within the scaled part.
  int32_t window_left, window_top, window_width, window_height;
} clat_resample_box;

/// Bilinear resampling with antialiasing, in Pillow's fixed-point arithmetic: the same bytes as
/// Image.crop, resize(BILINEAR), crop. Writes window_height * window_width * channels bytes.
/// Returns 0, or 1 where there is no memory.
int clat_resample(const clat_image *image, const clat_resample_box *box, uint8_t *target);

/// Writes a PNG of RGB (channels 3) or grey (1) to `path`. Returns 0, or 1 with a message.
int clat_png_write(const char *path, int32_t width, int32_t height, int32_t channels,
                   const uint8_t *pixels, char message[CLAT_IMAGE_MESSAGE]);

/// Lets the calling thread run on all CPUs that the process was started with: a new thread inherits
/// the one CPU to which its maker may have been pinned.
void clat_unpin_thread(void);

#endif
