#include "decode.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

// No JPEG says more pixels than this for each of its bytes: one bit for each block of 8x8.
enum { MOST_PIXELS_PER_BYTE = 1024 };

typedef struct {
  struct jpeg_error_mgr base; // first, so that cinfo->err points here
  jmp_buf escape;
  char *message;
} error_manager;

static void fail(j_common_ptr cinfo) {
  error_manager *errors = (error_manager *)cinfo->err;
  char text[JMSG_LENGTH_MAX];
  errors->base.format_message(cinfo, text);
  snprintf(errors->message, CLAT_IMAGE_MESSAGE, "damaged JPEG: %s", text);
  longjmp(errors->escape, 1);
}

// Warnings mean wrong pixels (a bad marker, a corrupt code), but for bytes that are passed over.
static void warn(j_common_ptr cinfo, int level) {
  if (level < 0 && cinfo->err->msg_code != JWRN_EXTRANEOUS_DATA) fail(cinfo);
}

static void start(j_decompress_ptr cinfo, error_manager *errors, char *message) {
  cinfo->err = jpeg_std_error(&errors->base);
  errors->base.error_exit = fail;
  errors->base.emit_message = warn;
  errors->message = message;
}

static void read_header(j_decompress_ptr cinfo, const uint8_t *bytes, size_t count) {
  jpeg_create_decompress(cinfo);
  jpeg_mem_src(cinfo, bytes, (unsigned long)count);
  jpeg_read_header(cinfo, TRUE);
  const size_t pixels = (size_t)cinfo->image_width * cinfo->image_height;
  if (pixels > CLAT_MOST_PIXELS || pixels / MOST_PIXELS_PER_BYTE > count)
    ERREXIT(cinfo, JERR_IMAGE_TOO_BIG);
}

int clat_jpeg_inspect(const uint8_t *bytes, size_t count, clat_image_info *info, char *message) {
  struct jpeg_decompress_struct cinfo = {0};
  error_manager errors;
  start(&cinfo, &errors, message);
  if (setjmp(errors.escape)) {
    jpeg_destroy_decompress(&cinfo);
    return 1;
  }
  read_header(&cinfo, bytes, count);
  info->width = (int32_t)cinfo.image_width;
  info->height = (int32_t)cinfo.image_height;
  info->channels = cinfo.num_components;
  jpeg_destroy_decompress(&cinfo);
  return 0;
}

// Four bytes a pixel become three or one in place, as Pillow computes them. Adobe's programs write
// CMYK inverted and say so by a marker.
static void convert_cmyk(uint8_t *row, uint8_t *target, int32_t width, int32_t channels,
                         int inverted) {
  for (int32_t x = 0; x < width; x++) {
    uint8_t rgb[3];
    const uint32_t light = inverted ? row[4 * x + 3] : 255u - row[4 * x + 3];
    for (int c = 0; c < 3; c++) {
      const uint32_t ink = inverted ? 255u - row[4 * x + c] : row[4 * x + c];
      const uint32_t product = ink * light + 128;
      rgb[c] = (uint8_t)(light - ((product + (product >> 8)) >> 8));
    }
    if (channels == 3) {
      for (int c = 0; c < 3; c++) target[3 * x + c] = rgb[c];
    } else { // ITU-R 601-2, as Pillow's mode L
      target[x] = (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000) >> 16);
    }
  }
}

static void read_rows(j_decompress_ptr cinfo, clat_image *image, int is_cmyk) {
  const size_t row_bytes = (size_t)image->width * (size_t)image->channels;
  JSAMPARRAY wide = NULL;
  if (is_cmyk)
    wide = cinfo->mem->alloc_sarray((j_common_ptr)cinfo, JPOOL_IMAGE, cinfo->output_width * 4, 1);
  while (cinfo->output_scanline < cinfo->output_height) {
    JSAMPROW row = image->pixels + cinfo->output_scanline * row_bytes;
    jpeg_read_scanlines(cinfo, is_cmyk ? wide : &row, 1);
    if (is_cmyk)
      convert_cmyk(wide[0], row, image->width, image->channels, cinfo->saw_Adobe_marker);
  }
}

int clat_jpeg_decode(const uint8_t *bytes, size_t count, int32_t channels, int32_t reduction,
                     clat_image *image, char *message) {
  struct jpeg_decompress_struct cinfo = {0};
  error_manager errors;
  start(&cinfo, &errors, message);
  if (setjmp(errors.escape)) {
    jpeg_destroy_decompress(&cinfo);
    return 1;
  }
  read_header(&cinfo, bytes, count);
  const int is_cmyk =
      cinfo.jpeg_color_space == JCS_CMYK || cinfo.jpeg_color_space == JCS_YCCK;
  cinfo.out_color_space = is_cmyk ? JCS_CMYK : channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  cinfo.scale_num = 1;
  cinfo.scale_denom = (unsigned)reduction;
  cinfo.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&cinfo);
  if (clat_image_reserve(image, (int32_t)cinfo.output_width, (int32_t)cinfo.output_height,
                         channels))
    ERREXIT1(&cinfo, JERR_OUT_OF_MEMORY, 0);
  read_rows(&cinfo, image, is_cmyk);
  jpeg_finish_decompress(&cinfo);
  jpeg_destroy_decompress(&cinfo);
  return 0;
}
