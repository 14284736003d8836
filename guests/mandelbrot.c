// mandelbrot: one tile of the Mandelbrot set, for the example `tiles`.
//
//   mandelbrot LEFT TOP STEP WIDTH HEIGHT ITERATIONS     the corner, the side of a pixel, pixels, and how long a point is followed
//
// Standard output: two bytes a pixel, little-endian, row by row: how soon the point escaped, 0 (at once) to 65534; 65535: it did not.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE_MAX = 256, ITERATIONS_MAX = 20000 };

static uint8_t row[2 * SIDE_MAX];

static uint16_t escape(double x, double y, int iterations) {
  // The two largest parts have a formula.
  const double q = (x - 0.25) * (x - 0.25) + y * y;
  if (q * (q + (x - 0.25)) <= 0.25 * y * y || (x + 1) * (x + 1) + y * y <= 0.0625) return 65535;
  double a = 0, b = 0, aa = 0, bb = 0;
  int i = 0;
  for (; i < iterations && aa + bb <= 256; ++i) {
    b = 2 * a * b + y;
    a = aa - bb + x;
    aa = a * a;
    bb = b * b;
  }
  if (i == iterations) return 65535;
  const double smooth = i + 1 - log2(0.5 * log2(aa + bb));
  const double scaled = 65534 * log2(1 + (smooth < 0 ? 0 : smooth)) / log2(1.0 + ITERATIONS_MAX);
  return (uint16_t)(scaled > 65534 ? 65534 : scaled);
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "mandelbrot LEFT TOP STEP WIDTH HEIGHT ITERATIONS\n");
    return 2;
  }
  const double left = atof(argv[1]), top = atof(argv[2]), step = atof(argv[3]);
  const int width = atoi(argv[4]), height = atoi(argv[5]), iterations = atoi(argv[6]);
  if (width < 1 || width > SIDE_MAX || height < 1 || height > SIDE_MAX || iterations < 1 || iterations > ITERATIONS_MAX || !(step > 0)) {
    fprintf(stderr, "mandelbrot: a side of 1 to %d, 1 to %d iterations\n", SIDE_MAX, ITERATIONS_MAX);
    return 2;
  }
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const uint16_t value = escape(left + (x + 0.5) * step, top + (y + 0.5) * step, iterations);
      row[2 * x] = (uint8_t)value;
      row[2 * x + 1] = (uint8_t)(value >> 8);
    }
    fwrite(row, 2, (size_t)width, stdout);
  }
  return 0;
}
