// shrink WIDTH PICTURE...: each picture (PNG, JPEG, BMP, ...) made WIDTH pixels wide and grey, as out/NAME.png. An image filter on libstb.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STB_IMAGE_IMPLEMENTATION
#include "stb_image.h"
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#include "stb_image_resize.h"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include "stb_image_write.h"

int main(int argc, char** argv) {
  const int width = argc > 1 ? atoi(argv[1]) : 0;
  for (int i = 2; i < argc; ++i) {
    int w, h, channels;
    unsigned char* pixels = stbi_load(argv[i], &w, &h, &channels, 1);
    if (pixels == NULL || width <= 0) {
      fprintf(stderr, "%s: %s\n", argv[i], stbi_failure_reason());
      return 1;
    }
    const int height = h * width / w > 0 ? h * width / w : 1;
    unsigned char* small = malloc((size_t)width * (size_t)height);
    const char* name = strrchr(argv[i], '/') != NULL ? strrchr(argv[i], '/') + 1 : argv[i];
    char path[160];
    snprintf(path, sizeof path, "out/%s.png", name);
    if (small == NULL || !stbir_resize_uint8(pixels, w, h, 0, small, width, height, 0, 1)) return 1;
    if (!stbi_write_png(path, width, height, 1, small, width)) return 1;
    printf("%s %dx%d -> %s %dx%d\n", argv[i], w, h, path, width, height);
    free(small);
    stbi_image_free(pixels);
  }
  return 0;
}
