// kernels NAME ROUNDS: small loops whose speed shows what metering costs. Each prints a checksum, so that no
// compiler can drop it and two engines can be compared.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MATRIX = 96, SIEVE = 200000, SORT = 20000, CODE = 6 };

static uint32_t rotate(uint32_t x, int k) { return x << k | x >> (32 - k); }

// ChaCha20 quarter rounds over a state: integer arithmetic in registers.
__attribute__((noinline)) static uint64_t mix(uint32_t rounds) {
  uint32_t s[16];
  for (uint32_t i = 0; i < 16; ++i) s[i] = i * 0x9E3779B9u + rounds;
  for (uint32_t r = 0; r < rounds * 4000; ++r) {
    for (int q = 0; q < 4; ++q) {
      uint32_t a = s[q], b = s[4 + q], c = s[8 + q], d = s[12 + q];
      a += b, d = rotate(d ^ a, 16), c += d, b = rotate(b ^ c, 12);
      a += b, d = rotate(d ^ a, 8), c += d, b = rotate(b ^ c, 7);
      s[q] = a, s[4 + (q + 1) % 4] = b, s[8 + (q + 2) % 4] = c, s[12 + (q + 3) % 4] = d;
    }
  }
  uint64_t sum = 0;
  for (int i = 0; i < 16; ++i) sum = sum * 31 + s[i];
  return sum;
}

static double a_[MATRIX][MATRIX], b_[MATRIX][MATRIX], c_[MATRIX][MATRIX];

__attribute__((noinline)) static uint64_t matmul(uint32_t rounds) {
  for (int i = 0; i < MATRIX; ++i)
    for (int j = 0; j < MATRIX; ++j) a_[i][j] = i * 0.5 + j, b_[i][j] = i - j * 0.25;
  for (uint32_t r = 0; r < rounds; ++r) {
    for (int i = 0; i < MATRIX; ++i)
      for (int j = 0; j < MATRIX; ++j) {
        double sum = 0;
        for (int k = 0; k < MATRIX; ++k) sum += a_[i][k] * b_[k][j];
        c_[i][j] = sum;
      }
    a_[r % MATRIX][0] = c_[0][r % MATRIX] * 1e-6;
  }
  uint64_t bits;
  memcpy(&bits, &c_[5][7], sizeof bits);
  return bits;
}

static uint8_t composite[SIEVE];

__attribute__((noinline)) static uint64_t sieve(uint32_t rounds) {
  uint64_t primes = 0;
  for (uint32_t r = 0; r < rounds; ++r) {
    memset(composite, 0, sizeof composite);
    for (uint32_t i = 2; i < SIEVE; ++i) {
      if (composite[i]) continue;
      ++primes;
      for (uint64_t j = (uint64_t)i * i; j < SIEVE; j += i) composite[j] = 1;
    }
  }
  return primes;
}

static uint32_t numbers[SORT];

static void quicksort(uint32_t* v, int low, int high) {
  while (low < high) {
    const uint32_t pivot = v[low + (high - low) / 2];
    int i = low, j = high;
    while (i <= j) {
      while (v[i] < pivot) ++i;
      while (v[j] > pivot) --j;
      if (i <= j) {
        const uint32_t t = v[i];
        v[i++] = v[j];
        v[j--] = t;
      }
    }
    if (j - low < high - i) {
      quicksort(v, low, j);
      low = i;
    } else {
      quicksort(v, i, high);
      high = j;
    }
  }
}

__attribute__((noinline)) static uint64_t sort(uint32_t rounds) {
  uint64_t sum = 0;
  for (uint32_t r = 0; r < rounds; ++r) {
    uint32_t x = 12345 + r;
    for (int i = 0; i < SORT; ++i) numbers[i] = x = x * 1664525 + 1013904223;
    quicksort(numbers, 0, SORT - 1);
    sum = sum * 31 + numbers[SORT / 3];
  }
  return sum;
}

// A byte-code interpreter: a switch in a loop, the shape of every emulator and scripting language.
__attribute__((noinline)) static uint64_t interpret(uint32_t rounds) {
  static const uint8_t code[CODE] = {0, 1, 2, 3, 4, 5};
  uint64_t acc = 1;
  uint32_t counter = rounds * 20000, at = 0;
  for (;;) {
    switch (code[at]) {
      case 0: acc += counter; break;
      case 1: acc ^= acc << 13; break;
      case 2: acc ^= acc >> 7; break;
      case 3: acc ^= acc << 17; break;
      case 4: --counter; break;
      default:
        if (counter == 0) return acc;
        at = 0;
        continue;
    }
    ++at;
  }
}

__attribute__((noinline)) static uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const uint32_t rounds = (uint32_t)strtoul(argv[2], NULL, 10);
  uint64_t sum;
  if (strcmp(argv[1], "mix") == 0) sum = mix(rounds);
  else if (strcmp(argv[1], "matmul") == 0) sum = matmul(rounds);
  else if (strcmp(argv[1], "sieve") == 0) sum = sieve(rounds);
  else if (strcmp(argv[1], "sort") == 0) sum = sort(rounds);
  else if (strcmp(argv[1], "interpret") == 0) sum = interpret(rounds);
  else if (strcmp(argv[1], "fib") == 0) sum = fib(rounds);
  else return 2;
  printf("%s %016llx\n", argv[1], (unsigned long long)sum);
  return 0;
}
