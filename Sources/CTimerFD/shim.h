// Gives Swift timerfd, which its Glibc module leaves out: a timer on the wall clock that also tells when the
// clock is set.
#ifndef BELFRY_CTIMERFD_SHIM_H
#define BELFRY_CTIMERFD_SHIM_H

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* A timer on the wall clock, closed on exec; a negative error number when there is none to be had. */
static inline int ctimerfd_create(void) {
    int descriptor = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    return descriptor >= 0 ? descriptor : -errno;
}

/* Fires when the clock reaches `milliseconds` since 1970 or is set. 0, or the error: ECANCELED when the clock
   was set since the timer was made. */
static inline int ctimerfd_set(int descriptor, int64_t milliseconds) {
    struct itimerspec time = {0};
    time.it_value.tv_sec = milliseconds > 0 ? (time_t)(milliseconds / 1000) : 0;
    /* Zero would take the timer back: the first nanosecond of 1970 has passed as well. */
    time.it_value.tv_nsec = milliseconds > 0 ? (long)(milliseconds % 1000) * 1000000 : 1;
    int result = timerfd_settime(descriptor, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &time, NULL);
    return result == 0 ? 0 : errno;
}

/* 0 when the timer has fired, or the error: EAGAIN when it has not, ECANCELED when the clock was set. */
static inline int ctimerfd_read(int descriptor) {
    uint64_t count = 0;
    return read(descriptor, &count, sizeof count) == (ssize_t)sizeof count ? 0 : errno;
}

static inline int ctimerfd_close(int descriptor) {
    return close(descriptor);
}

#endif
