#include <stdlib.h>

int main(void)
{
    int *n = malloc(sizeof(*n));
    if (!n)
        return 1;
    *n = 2;
    if (n != NULL)
        free(n);
    return 0;
}
