// Gives Swift the system's libdbus-1: constants that Swift does not import by themselves (macros with
// casts), and timerfd, which Swift's Glibc module leaves out.
#ifndef BELFRY_CDBUS_SHIM_H
#define BELFRY_CDBUS_SHIM_H

#include <dbus/dbus.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>

typedef enum {
    CDBUS_INVALID = DBUS_TYPE_INVALID,
    CDBUS_BYTE = DBUS_TYPE_BYTE,
    CDBUS_BOOLEAN = DBUS_TYPE_BOOLEAN,
    CDBUS_INT16 = DBUS_TYPE_INT16,
    CDBUS_UINT16 = DBUS_TYPE_UINT16,
    CDBUS_INT32 = DBUS_TYPE_INT32,
    CDBUS_UINT32 = DBUS_TYPE_UINT32,
    CDBUS_INT64 = DBUS_TYPE_INT64,
    CDBUS_UINT64 = DBUS_TYPE_UINT64,
    CDBUS_DOUBLE = DBUS_TYPE_DOUBLE,
    CDBUS_STRING = DBUS_TYPE_STRING,
    CDBUS_OBJECT_PATH = DBUS_TYPE_OBJECT_PATH,
    CDBUS_SIGNATURE = DBUS_TYPE_SIGNATURE,
    CDBUS_UNIX_FD = DBUS_TYPE_UNIX_FD,
    CDBUS_ARRAY = DBUS_TYPE_ARRAY,
    CDBUS_VARIANT = DBUS_TYPE_VARIANT,
    CDBUS_STRUCT = DBUS_TYPE_STRUCT,
    CDBUS_DICT_ENTRY = DBUS_TYPE_DICT_ENTRY
} CDBusType;

/* A timer on the monotonic clock as a descriptor; -1 and errno when there are no more descriptors. */
static inline int cdbus_timer_create(void) {
    return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
}

/* Fires once at `deadline`, nanoseconds of the monotonic clock; 0 takes it back. */
static inline void cdbus_timer_set(int descriptor, uint64_t deadline) {
    struct itimerspec time = {0};
    time.it_value.tv_sec = (time_t)(deadline / 1000000000u);
    time.it_value.tv_nsec = (long)(deadline % 1000000000u);
    timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &time, NULL);
}

#endif
