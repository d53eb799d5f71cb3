#include "qwenvl_kernels.h"
