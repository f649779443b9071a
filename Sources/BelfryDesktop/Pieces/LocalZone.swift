// Wall clock time. Quiet hours need no more of a time zone than how far it is from UTC at a given time,
// so a test's zone is one function.

import BelfryCore
import Glibc

/// A time zone, as far as quiet hours need one.
struct LocalZone: Sendable {
    /// Seconds east of UTC at a time, given in seconds since 1970.
    let offset: @Sendable (Int64) -> Int64

    /// The zone of the machine, or of `TZ`, as it was when the hub started: the C library reads it once.
    static let machine = LocalZone { seconds in
        var seconds = time_t(seconds)
        var parts = tm()
        return localtime_r(&seconds, &parts) == nil ? 0 : Int64(parts.tm_gmtoff)
    }

    /// What the wall clock shows, as milliseconds since its own 1970.
    func wallClock(_ time: Timestamp) -> Int64 { time.milliseconds + offset(time.wholeSeconds) * 1000 }

    /// The first time after `start`, and not after `end`, at which the clock has been put forward or back.
    func shift(after start: Timestamp, through end: Timestamp) -> Timestamp? {
        let before = offset(start.wholeSeconds)
        // Fine enough: no zone changes its mind within three hours.
        let step: Int64 = 3 * 3600
        var low = start.wholeSeconds
        while low < end.wholeSeconds {
            var high = min(low + step, end.wholeSeconds)
            guard offset(high) != before else {
                low = high
                continue
            }
            while high - low > 1 {
                let middle = low + (high - low) / 2
                if offset(middle) == before { low = middle } else { high = middle }
            }
            return Timestamp(milliseconds: high * 1000)
        }
        return nil
    }
}

extension Timestamp {
    /// Since 1970, rounded down.
    fileprivate var wholeSeconds: Int64 {
        let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        return rest < 0 ? seconds - 1 : seconds
    }
}
