// Open files travel with messages; this is who owns one on our side.

import Glibc

/// An open file descriptor, closed when the last reference is gone.
///
/// Two are equal when they are the same object.
public final class DBusDescriptor: Sendable {
    /// The number, valid as long as this object lives. Whoever needs it longer duplicates it.
    public let fileDescriptor: Int32

    /// Takes over `owned`, which nobody else may close.
    public init(owning owned: Int32) { fileDescriptor = owned }

    /// Makes a duplicate of `original`, closed on exec.
    ///
    /// - Throws: ``DBusError`` with the name ``DBusError/limitsExceeded`` or ``DBusError/failed``.
    public init(duplicating original: Int32) throws {
        let copy = fcntl(original, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else {
            let isLimit = errno == EMFILE || errno == ENFILE
            throw DBusError(
                name: isLimit ? DBusError.limitsExceeded : DBusError.failed,
                message: "Cannot duplicate descriptor \(original): \(String(cString: strerror(errno)))."
            )
        }
        fileDescriptor = copy
    }

    deinit { if fileDescriptor >= 0 { close(fileDescriptor) } }
}

extension DBusDescriptor: Hashable {
    public static func == (left: DBusDescriptor, right: DBusDescriptor) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
