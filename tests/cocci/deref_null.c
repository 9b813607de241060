#include <stdio.h>
#include <stdlib.h>

struct foo {
    int bar;
};

int main(void)
{
    struct foo *f = malloc(sizeof(*f));
    if (f == NULL) {
        return f->bar;
    }
    return 0;
}
