// What the shared library shows to programs that link it; everything else is hidden.
#pragma once

#if defined(__GNUC__)
#define ENPROF_API __attribute__((visibility("default")))
#else
#define ENPROF_API
#endif
