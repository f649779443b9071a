// A real HTTP server that fails as it is told, for what posts events somewhere. It checks signatures by itself.

import BelfryCore
import FoundationEssentials

/// Runs Python's http.server in a sandbox.
struct HookServer: Sendable {
    let sandbox: Sandbox

    private var log: String { sandbox.root + "/requests" }
    private var portFile: String { sandbox.root + "/port" }

    /// What it got, in order: `{"path","headers","body","did","verified","at"}`.
    func requests() throws -> [JSONValue] {
        guard let text = try? String(contentsOfFile: log, encoding: .utf8) else { return [] }
        return try text.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
    }

    /// Runs the server while `body` runs.
    ///
    /// - Parameters:
    ///   - plan: what it does with one request after the other, then `ok`: a status such as `500`, `429 1` with a
    ///     Retry-After, `hang`, `close` without an answer, `middle` to close within one.
    ///   - key: what signatures are made with, base64.
    static func run(
        in sandbox: Sandbox,
        plan: [String] = [],
        key: String = "",
        _ body: (HookServer, Int) async throws -> Void
    ) async throws {
        let server = HookServer(sandbox: sandbox)
        try sandbox.write(script, to: "server.py")
        let arguments = [sandbox.root + "/server.py", server.portFile, server.log, key] + plan
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await sandbox.run("/usr/bin/python3", arguments) }
            var port: Int?
            while port == nil {
                await Task.yield()
                port = (try? String(contentsOfFile: server.portFile, encoding: .utf8)).flatMap {
                    Int($0.prefix { $0 != "\n" })
                }
            }
            try await body(server, port!)
            group.cancelAll()
        }
    }

    private static let script = #"""
        import base64, hashlib, hmac, http.server, json, os, sys, threading, time

        port_file, log, key, plan = sys.argv[1], sys.argv[2], base64.b64decode(sys.argv[3]), sys.argv[4:]
        lock = threading.Lock()

        def verified(headers, body):
            stamp = headers.get("webhook-timestamp", "")
            text = headers.get("webhook-id", "") + "." + stamp + "." + body.decode()
            want = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
            return headers.get("webhook-signature") == "v1," + want and abs(time.time() - int(stamp)) < 60

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    do = plan.pop(0) if plan else "200"
                    with open(log, "a") as file:
                        file.write(json.dumps({
                            "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                            "body": body.decode(), "did": do, "at": time.monotonic(),
                            "verified": "webhook-signature" in self.headers and verified(self.headers, body),
                        }) + "\n")
                if do == "hang":
                    time.sleep(1000)
                elif do == "close":
                    self.close_connection = True
                    self.connection.close()
                elif do == "middle":
                    self.wfile.write(b"HTTP/1.1 2")
                    self.close_connection = True
                else:
                    status, *wait = do.split()
                    self.send_response(int(status))
                    if wait: self.send_header("Retry-After", wait[0])
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *arguments): pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        with open(port_file + ".new", "w") as file: file.write("%d\n" % server.server_port)
        os.rename(port_file + ".new", port_file)
        server.serve_forever()
        """#
}
