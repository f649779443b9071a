// Signatures of values, as far as possible without making them.

extension DBusValue {
    /// Bytes of ``signature``.
    var signatureLength: Int {
        switch self {
        case .array(let element, _): 1 + element.utf8.count
        case .dictionary(let key, let value, _): 3 + key.utf8.count + value.utf8.count
        case .structure(let fields): fields.reduce(2) { $0 + $1.signatureLength }
        default: 1
        }
    }

    /// Whether `signature` is this value's.
    func hasSignature(_ signature: String) -> Bool {
        switch self {
        case .array, .dictionary, .structure: self.signature == signature
        default: signature.utf8.count == 1 && signature.utf8.first == UInt8(truncatingIfNeeded: typeCode)
        }
    }
}
