// A DispatchSource for one direction of a libdbus watch. It has a duplicate of the descriptor, since
// libdbus may close its own before Dispatch has let go of it.

import CDBus
import Dispatch
import Glibc

/// Waits for a descriptor while enabled. To be used on its queue only.
final class DescriptorSource {
    private let source: any DispatchSourceProtocol
    private var isEnabled = false
    private var isCancelled = false

    /// - Parameter onReady: gets an estimate of the bytes that can be read.
    /// - Returns: nil when there are no more descriptors.
    init?(watching original: Int32, writing: Bool, queue: DispatchQueue, onReady: @escaping (Int) -> Void) {
        let descriptor = fcntl(original, F_DUPFD_CLOEXEC, 3)
        guard descriptor >= 0 else { return nil }
        source =
            writing
            ? DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: queue)
            : DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        // Unowned: a handler does not run after its source was cancelled.
        source.setEventHandler { [unowned self] in onReady(writing ? 0 : Int(source.data)) }
        source.setCancelHandler { close(descriptor) }
    }

    /// A source is made suspended; resumes and suspensions must be equal in number.
    func setEnabled(_ isWanted: Bool) {
        guard isWanted != isEnabled, !isCancelled else { return }
        isEnabled = isWanted
        if isWanted { source.resume() } else { source.suspend() }
    }

    func cancel() {
        guard !isCancelled else { return }
        isCancelled = true
        source.cancel()
        // A suspended source would never get to its cancel handler.
        if !isEnabled { source.resume() }
    }
}
