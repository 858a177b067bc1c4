#include "decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_jpeg(const uint8_t *bytes, size_t count) {
  return count >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

static int is_png(const uint8_t *bytes, size_t count) {
  return count >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static int unknown(size_t count, char *message) {
  snprintf(message, CLAT_IMAGE_MESSAGE, "%s", count ? "neither JPEG nor PNG" : "empty file");
  return 1;
}

int clat_image_inspect(const uint8_t *bytes, size_t count, clat_image_info *info,
                       char message[CLAT_IMAGE_MESSAGE]) {
  if (is_jpeg(bytes, count)) return clat_jpeg_inspect(bytes, count, info, message);
  if (is_png(bytes, count)) return clat_png_inspect(bytes, count, info, message);
  return unknown(count, message);
}

int clat_image_decode(const uint8_t *bytes, size_t count, int32_t channels, int32_t reduction,
                      clat_image *image, char message[CLAT_IMAGE_MESSAGE]) {
  if (is_jpeg(bytes, count))
    return clat_jpeg_decode(bytes, count, channels, reduction, image, message);
  if (is_png(bytes, count)) return clat_png_decode(bytes, count, channels, image, message);
  return unknown(count, message);
}

int clat_image_reserve(clat_image *image, int32_t width, int32_t height, int32_t channels) {
  const size_t needed = (size_t)width * (size_t)height * (size_t)channels;
  if (needed > image->capacity) {
    clat_image_free(image);
    image->pixels = malloc(needed);
    if (!image->pixels) return 1;
    image->capacity = needed;
  }
  image->width = width;
  image->height = height;
  image->channels = channels;
  return 0;
}

void clat_image_free(clat_image *image) {
  free(image->pixels);
  image->pixels = NULL;
  image->capacity = 0;
}
