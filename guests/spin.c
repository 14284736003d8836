// spin: never ends. Says so first, so that a test knows that it is running.
#include <unistd.h>

int main(void) {
  if (write(1, "spinning\n", 9) != 9) return 1;
  for (volatile unsigned i = 0;; ++i) {
  }
}
