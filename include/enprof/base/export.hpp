// Marks what the shared library exports; everything else is hidden.
#pragma once

#if defined(__GNUC__)
#define ENPROF_API __attribute__((visibility("default")))
#else
#define ENPROF_API
#endif
