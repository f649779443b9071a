// A bus for one test: on its own socket, with nothing to activate unless the test says so, so that tests
// neither see the desktop's bus nor each other's.

public import DBus
public import Glibc
import Synchronization

/// A `dbus-daemon` of one's own, killed when the last reference is gone.
public final class PrivateBus: Sendable {
    /// Where it listens, now and after ``restart()``.
    public let address: DBusAddress
    /// The address as text, for `DBUS_SESSION_BUS_ADDRESS` of programs.
    public let addressText: String
    /// A directory of its own, removed with the bus.
    public let directory: String

    private let daemon = Mutex<Child?>(nil)

    /// Starts a bus.
    ///
    /// - Parameters:
    ///   - services: programs that the bus starts when their name is called: name to command line.
    ///     Defaults to none.
    ///   - configuration: more elements of the configuration file, such as limits. Defaults to nothing.
    public init(services: [String: String] = [:], configuration: String = "") async throws {
        directory = try Self.makeDirectory()
        addressText = "unix:path=\(directory)/bus"
        address = .at(addressText)
        let folder = try Self.write(services, in: directory)
        let text = Self.configuration(addressText, folder, configuration)
        try Self.write(text, to: directory + "/bus.conf")
        try await restart()
    }

    deinit {
        kill()
        Self.remove(directory)
    }

    /// The daemon's process; nil when it was killed.
    public var processID: pid_t? { daemon.withLock { $0?.pid } }

    /// Ends the daemon at once (SIGKILL) and waits for its end.
    public func kill() { daemon.withLock { $0.take() }?.kill() }

    /// Starts the daemon again, at the same address.
    public func restart() async throws {
        kill()
        let arguments = [
            "dbus-daemon", "--config-file=\(directory)/bus.conf", "--nofork", "--nopidfile", "--nosyslog",
            "--print-address=3",
        ]
        let child = try await Child.start(arguments, lineOn: 3, log: directory + "/log")
        daemon.withLock { $0 = child }
    }
}

// MARK: - Files

extension PrivateBus {
    private static func configuration(_ address: String, _ services: String?, _ more: String) -> String {
        """
        <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
          "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
        <busconfig>
          <type>session</type>
          <listen>\(address)</listen>
          <auth>EXTERNAL</auth>
          \(services.map { "<servicedir>\($0)</servicedir>" } ?? "")
          <policy context="default">
            <allow send_destination="*" eavesdrop="true"/>
            <allow eavesdrop="true"/>
            <allow own="*"/>
          </policy>
          <limit name="max_incoming_bytes">1000000000</limit>
          <limit name="max_outgoing_bytes">1000000000</limit>
          <limit name="max_message_size">1000000000</limit>
          <limit name="max_incoming_unix_fds">10000</limit>
          <limit name="max_outgoing_unix_fds">10000</limit>
          <limit name="max_message_unix_fds">1024</limit>
          <limit name="max_match_rules_per_connection">50000</limit>
          <limit name="max_replies_per_connection">50000</limit>
          <limit name="service_start_timeout">60000</limit>
          \(more)
        </busconfig>

        """
    }

    private static func write(_ services: [String: String], in directory: String) throws -> String? {
        if services.isEmpty { return nil }
        let folder = directory + "/services"
        guard mkdir(folder, 0o700) == 0 else { throw BusTestingFailure("cannot make \(folder)") }
        for (name, command) in services {
            try write("[D-BUS Service]\nName=\(name)\nExec=\(command)\n", to: "\(folder)/\(name).service")
        }
        return folder
    }

    private static func makeDirectory() throws -> String {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/belfry-bus-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BusTestingFailure("cannot make a directory in \(base)") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "we") else { throw BusTestingFailure("cannot write \(path)") }
        defer { fclose(file) }
        fputs(text, file)
    }

    /// Removes a directory with what it has, two levels deep.
    private static func remove(_ directory: String) {
        if let entries = opendir(directory) {
            while let entry = readdir(entries) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name == "." || name == ".." { continue }
                let path = directory + "/" + name
                if unlink(path) != 0, errno == EISDIR { remove(path) }
            }
            closedir(entries)
        }
        rmdir(directory)
    }
}
