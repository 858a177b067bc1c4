// The two decoders behind cimages.h.
#ifndef CLAT_DECODE_H
#define CLAT_DECODE_H

#include "cimages.h"

// More pixels than this are refused: a header is cheap to forge.
enum { CLAT_MOST_PIXELS = 1 << 26 };

// Makes room for an image, whose extents are known to be within bounds. Returns 0 or 1.
int clat_image_reserve(clat_image *image, int32_t width, int32_t height, int32_t channels);

int clat_jpeg_inspect(const uint8_t *bytes, size_t count, clat_image_info *info, char *message);
int clat_jpeg_decode(const uint8_t *bytes, size_t count, int32_t channels, int32_t reduction,
                     clat_image *image, char *message);
int clat_png_inspect(const uint8_t *bytes, size_t count, clat_image_info *info, char *message);
int clat_png_decode(const uint8_t *bytes, size_t count, int32_t channels, clat_image *image,
                    char *message);

#endif
