// What goes out, as Swift has it, and its way to the wire.

/// A message that this side sends.
enum OutgoingMessage: Sendable {
    case call(DBusMethodCall, wantsAnswer: Bool)
    case signal(DBusSignal, destination: String?)
    case answer(ReplyAddress, [DBusValue])
    case refusal(ReplyAddress, DBusError)
}

/// Where the answer to a call goes.
struct ReplyAddress: Sendable {
    var caller: String
    var serial: UInt32
    /// False when the caller said that it wants none.
    var isWanted: Bool
}

/// A message in the form that libdbus takes.
struct EncodedMessage: Sendable {
    /// All of it, but for its number.
    var bytes: [UInt8]
    /// The message itself when descriptors go along: libdbus takes those from values only.
    var original: OutgoingMessage?
}

extension OutgoingMessage {
    /// Checks everything and writes it.
    ///
    /// - Throws: ``DBusError`` `invalidArgs` or `limitsExceeded` that names the fault.
    func encoded() throws -> EncodedMessage {
        try check()
        var encoder = MessageEncoder()
        writeHeader(to: &encoder)
        let start = encoder.bytes.count
        for argument in arguments { try encoder.value(argument) }
        // Room for the sender's name, which the bus adds.
        guard encoder.bytes.count + 280 <= MessageEncoder.largestMessage else {
            throw DBusError.tooLarge("The message is larger than 128 MiB.")
        }
        encoder.replace(at: 4, with: UInt32(encoder.bytes.count - start))
        return EncodedMessage(bytes: encoder.bytes, original: encoder.descriptors > 0 ? self : nil)
    }

    /// Codes of the specification, "Message Format".
    var type: UInt8 {
        switch self {
        case .call: 1
        case .answer: 2
        case .refusal: 3
        case .signal: 4
        }
    }

    var arguments: [DBusValue] {
        switch self {
        case .call(let call, _): call.arguments
        case .signal(let signal, _): signal.arguments
        case .answer(_, let values): values
        case .refusal(_, let error): [.string(error.message)]
        }
    }

    /// No answer is wanted: 1. Nothing is to be started: 2.
    var flags: UInt8 {
        guard case .call(let call, let wantsAnswer) = self else { return 1 }
        return (wantsAnswer ? 0 : 1) | (call.isAutoStarting ? 0 : 2)
    }

    // MARK: - Header

    private func check() throws {
        switch self {
        case .call(let call, _):
            if let destination = call.destination { try NameRules.checkBusName(destination) }
            try NameRules.checkTarget(path: call.path, interface: call.interface)
            try NameRules.checkMember(call.member)
        case .signal(let signal, let destination):
            if let destination { try NameRules.checkBusName(destination) }
            try NameRules.checkTarget(path: signal.path, interface: signal.interface)
            try NameRules.checkMember(signal.member)
        case .answer: break
        case .refusal(_, let error): try NameRules.checkInterface(error.name, as: "an error")
        }
        let length = arguments.reduce(0) { $0 + $1.signatureLength }
        guard length <= 255 else {
            throw DBusError.tooLarge("The arguments' signature has \(length) bytes; 255 are allowed.")
        }
    }

    /// The lengths of the body, and the number of the message, are put in later.
    private func writeHeader(to encoder: inout MessageEncoder) {
        #if _endian(little)
        encoder.byte(UInt8(ascii: "l"))
        #else
        encoder.byte(UInt8(ascii: "B"))
        #endif
        encoder.byte(type)
        encoder.byte(flags)
        encoder.byte(1)
        for _ in 0..<3 { encoder.number(UInt32(0)) }
        let start = encoder.bytes.count
        writeFields(to: &encoder)
        encoder.replace(at: start - 4, with: UInt32(encoder.bytes.count - start))
        encoder.align(8)
    }

    private func writeFields(to encoder: inout MessageEncoder) {
        switch self {
        case .call(let call, _):
            encoder.field(1, "o", call.path)
            if let interface = call.interface { encoder.field(2, "s", interface) }
            encoder.field(3, "s", call.member)
            if let destination = call.destination { encoder.field(6, "s", destination) }
        case .signal(let signal, let destination):
            encoder.field(1, "o", signal.path)
            encoder.field(2, "s", signal.interface)
            encoder.field(3, "s", signal.member)
            if let destination { encoder.field(6, "s", destination) }
        case .answer(let address, _): encoder.fields(of: address)
        case .refusal(let address, let error):
            encoder.field(4, "s", error.name)
            encoder.fields(of: address)
        }
        let arguments = arguments
        if !arguments.isEmpty {
            encoder.beginField(8, "g")
            encoder.signature(arguments.signature)
        }
    }
}

extension MessageEncoder {
    fileprivate mutating func beginField(_ code: UInt8, _ type: Unicode.Scalar) {
        align(8)
        byte(code)
        byte(1)
        byte(UInt8(ascii: type))
        byte(0)
    }

    fileprivate mutating func field(_ code: UInt8, _ type: Unicode.Scalar, _ text: String) {
        beginField(code, type)
        self.text(text)
    }

    fileprivate mutating func fields(of address: ReplyAddress) {
        beginField(5, "u")
        number(address.serial)
        if !address.caller.isEmpty { field(6, "s", address.caller) }
    }
}
