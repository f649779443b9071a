// One message of JSON-RPC 2.0, as MCP frames it: a line of JSON. Both sides of MCP are built on this: the host
// that asks servers, and the programs of ours that are servers.

public import BelfryCore

/// The id of a request: whoever asks chooses it, whoever answers repeats it.
public enum RPCID: Sendable, Hashable {
    case int(Int64)
    case string(String)

    /// - Returns: nil for anything but a whole number or text.
    public init?(_ json: JSONValue) {
        if let text = json.string {
            self = .string(text)
        } else if let number = json.int {
            self = .int(number)
        } else {
            return nil
        }
    }

    public var json: JSONValue {
        switch self {
        case .int(let number): .int(number)
        case .string(let text): .string(text)
        }
    }
}

/// Why a request has no result.
public struct RPCError: Error, Sendable, Hashable {
    /// The codes of JSON-RPC 2.0, section 5.1; servers add their own.
    public enum Code {
        public static let parseError: Int64 = -32700
        public static let invalidRequest: Int64 = -32600
        public static let methodNotFound: Int64 = -32601
        public static let invalidParams: Int64 = -32602
        public static let internalError: Int64 = -32603
    }

    public var code: Int64
    /// A sentence for people.
    public var message: String
    public var data: JSONValue?

    public init(_ code: Int64, _ message: String, data: JSONValue? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }

    var json: JSONValue {
        var object: JSONObject = ["code": .int(code), "message": .string(message)]
        object.set("data", data)
        return .object(object)
    }
}

/// One message of JSON-RPC 2.0.
public enum RPCMessage: Sendable, Hashable {
    case request(id: RPCID, method: String, params: JSONValue?)
    case notification(method: String, params: JSONValue?)
    case result(id: RPCID, JSONValue)
    /// The id is nil when the request could not be read.
    case failure(id: RPCID?, RPCError)

    /// Reads one line.
    ///
    /// - Throws: ``RPCError`` `parseError` for what is not JSON, `invalidRequest` for what is no message.
    public init(line: some Sequence<UInt8>) throws(RPCError) {
        let json: JSONValue
        do { json = try JSONValue(parsing: line) } catch {
            throw RPCError(RPCError.Code.parseError, "The line is not JSON: \(error)")
        }
        guard let message = Self.read(json) else {
            throw RPCError(RPCError.Code.invalidRequest, "The line is not a message of JSON-RPC 2.0.")
        }
        self = message
    }

    private static func read(_ json: JSONValue) -> RPCMessage? {
        guard json["jsonrpc"]?.string == "2.0" else { return nil }
        let id = json["id"].flatMap(RPCID.init)
        if let method = json["method"]?.string {
            if let id { return .request(id: id, method: method, params: json["params"]) }
            return json["id"] == nil ? .notification(method: method, params: json["params"]) : nil
        }
        if let error = json["error"], let code = error["code"]?.int {
            let message = error["message"]?.string ?? ""
            return .failure(id: id, RPCError(code, message, data: error["data"]))
        }
        guard let id, let result = json["result"] else { return nil }
        return .result(id: id, result)
    }

    public var json: JSONValue {
        var object: JSONObject = ["jsonrpc": "2.0"]
        switch self {
        case .request(let id, let method, let params):
            object["id"] = id.json
            object["method"] = .string(method)
            object.set("params", params)
        case .notification(let method, let params):
            object["method"] = .string(method)
            object.set("params", params)
        case .result(let id, let result):
            object["id"] = id.json
            object["result"] = result
        case .failure(let id, let error):
            object["id"] = id?.json ?? .null
            object["error"] = error.json
        }
        return .object(object)
    }

    /// The message as a line, with its newline.
    public var line: [UInt8] { json.encoded + [0x0A] }
}
