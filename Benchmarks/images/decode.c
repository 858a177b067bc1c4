// Images a second from JPEG files to 64x64: decode.c FILE...; one process, then two.
//   clang -O3 -ISources/CImages/include Benchmarks/images/decode.c Sources/CImages/*.c -ljpeg -lpng -o decode
#include "cimages.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void read_all(char **files, int count, int first, int step) {
  static uint8_t bytes[1 << 24], target[64 * 64 * 3];
  char message[CLAT_IMAGE_MESSAGE];
  clat_image image = {0};
  for (int i = first; i < count; i += step) {
    FILE *file = fopen(files[i], "rb");
    const size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file) fclose(file);
    if (clat_image_decode(bytes, size, 3, 1, &image, message)) {
      fprintf(stderr, "%s: %s\n", files[i], message);
      exit(1);
    }
    const clat_resample_box box = {0, 0, image.width, image.height, 64, 64, 0, 0, 64, 64};
    clat_resample(&image, &box, target);
  }
  clat_image_free(&image);
}

int main(int argc, char **argv) {
  const int count = argc - 1;
  for (int processes = 1; processes <= 2; processes++) {
    double best = 1e9;
    for (int repeat = 0; repeat < 3; repeat++) {
      const double start = now();
      for (int p = 0; p < processes; p++)
        if (fork() == 0) {
          read_all(argv + 1, count, p, processes);
          _exit(0);
        }
      while (wait(NULL) > 0) {}
      const double seconds = now() - start;
      if (seconds < best) best = seconds;
    }
    printf("%d: %.0f images/s\n", processes, count / best);
  }
}
