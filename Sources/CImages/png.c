#include "decode.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// No PNG says more pixels than this for each of its bytes: deflate expands 1032 times, and a byte
// has 8 pixels of one bit.
enum { MOST_PIXELS_PER_BYTE = 8 * 1032 };

typedef struct {
  const uint8_t *bytes;
  size_t count, offset;
} source;

static void take(png_structp png, png_bytep target, size_t count) {
  source *from = png_get_io_ptr(png);
  if (count > from->count - from->offset) png_error(png, "truncated");
  memcpy(target, from->bytes + from->offset, count);
  from->offset += count;
}

static void fail(png_structp png, png_const_charp text) {
  snprintf(png_get_error_ptr(png), CLAT_IMAGE_MESSAGE, "damaged PNG: %s", text);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp text) { (void)png, (void)text; }

static png_structp open_png(source *from, png_infop *info, char *message) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, fail, ignore);
  if (!png) return NULL;
  png_set_user_limits(png, 65535, 65535);
  png_set_chunk_malloc_max(png, 1 << 20);
  png_set_read_fn(png, from, take);
  *info = png_create_info_struct(png);
  return png;
}

static void read_header(png_structp png, png_infop info, size_t count) {
  if (!info) png_error(png, "no memory");
  png_read_info(png, info);
  const size_t pixels = (size_t)png_get_image_width(png, info) * png_get_image_height(png, info);
  if (pixels > CLAT_MOST_PIXELS || pixels / MOST_PIXELS_PER_BYTE > count)
    png_error(png, "larger than its bytes can hold, or than 67 million pixels");
}

int clat_png_inspect(const uint8_t *bytes, size_t count, clat_image_info *result, char *message) {
  source from = {bytes, count, 0};
  png_infop info = NULL;
  png_structp png = open_png(&from, &info, message);
  if (!png) return snprintf(message, CLAT_IMAGE_MESSAGE, "no memory"), 1;
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return 1;
  }
  read_header(png, info, count);
  result->width = (int32_t)png_get_image_width(png, info);
  result->height = (int32_t)png_get_image_height(png, info);
  const int is_palette = png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE;
  result->channels = is_palette ? 3 : png_get_channels(png, info);
  png_destroy_read_struct(&png, &info, NULL);
  return 0;
}

// Whatever the file has becomes 8 bits of grey or RGB.
static void convert(png_structp png, png_infop info, int32_t channels) {
  const int is_grey = !(png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR);
  png_set_scale_16(png);
  png_set_expand(png);
  png_set_strip_alpha(png);
  if (channels == 3 && is_grey) png_set_gray_to_rgb(png);
  // The weights of ITU-R 601-2 in PNG's units of 1/100000.
  if (channels == 1 && !is_grey) png_set_rgb_to_gray_fixed(png, 1, 29900, 58700);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

int clat_png_decode(const uint8_t *bytes, size_t count, int32_t channels, clat_image *image,
                    char *message) {
  source from = {bytes, count, 0};
  png_infop info = NULL;
  png_structp png = open_png(&from, &info, message);
  if (!png) return snprintf(message, CLAT_IMAGE_MESSAGE, "no memory"), 1;
  png_bytep *volatile rows = NULL;
  if (setjmp(png_jmpbuf(png))) {
    free(rows);
    png_destroy_read_struct(&png, &info, NULL);
    return 1;
  }
  read_header(png, info, count);
  convert(png, info, channels);
  const int32_t width = (int32_t)png_get_image_width(png, info);
  const int32_t height = (int32_t)png_get_image_height(png, info);
  const size_t row_bytes = (size_t)width * (size_t)channels;
  if (png_get_rowbytes(png, info) != row_bytes) png_error(png, "unknown kind of pixels");
  rows = malloc((size_t)height * sizeof *rows);
  if (!rows || clat_image_reserve(image, width, height, channels)) png_error(png, "no memory");
  for (int32_t y = 0; y < height; y++) rows[y] = image->pixels + (size_t)y * row_bytes;
  png_read_image(png, rows);
  png_read_end(png, NULL);
  free(rows);
  png_destroy_read_struct(&png, &info, NULL);
  return 0;
}

int clat_png_write(const char *path, int32_t width, int32_t height, int32_t channels,
                   const uint8_t *pixels, char message[CLAT_IMAGE_MESSAGE]) {
  png_image image = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)width,
                     .height = (png_uint_32)height,
                     .format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
  if (png_image_write_to_file(&image, path, 0, pixels, 0, NULL)) return 0;
  snprintf(message, CLAT_IMAGE_MESSAGE, "%s", image.message);
  return 1;
}
