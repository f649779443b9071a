// Gives Swift the system zlib: the deflate and CRC-32 of PNG files.
#ifndef BELFRY_CZLIB_SHIM_H
#define BELFRY_CZLIB_SHIM_H

#include <zlib.h>

#endif
