// The types that the specification gives to hints, held as mako holds them: one wrong type and the whole
// call is refused.

import DBus

/// The check of the hints' types.
enum StrictHints {
    /// The signature of each hint that is known.
    static let signatures: [String: String] = [
        "urgency": "y", "value": "i", "x": "i", "y": "i",
        "transient": "b", "resident": "b", "suppress-sound": "b", "action-icons": "b",
        "category": "s", "desktop-entry": "s", "sound-file": "s", "sound-name": "s",
        "image-path": "s", "image_path": "s",
        "image-data": "(iiibiiay)", "image_data": "(iiibiiay)", "icon_data": "(iiibiiay)",
        "x-canonical-private-synchronous": "s", "x-dunst-stack-tag": "s",
    ]

    /// - Throws: `InvalidArgs`, naming the first hint of a wrong type, a hint that comes twice, or a picture
    ///   whose data is too short for its size.
    static func check(_ hints: ReceivedHints) throws(DBusError) {
        var seen: Set<String> = []
        for hint in hints.all {
            guard seen.insert(hint.name).inserted else {
                throw ReceivedNotification.invalid("the hint '\(hint.name)' comes twice")
            }
            guard let wanted = signatures[hint.name] else { continue }
            let found = hint.value.signature
            guard found == wanted else {
                throw ReceivedNotification.invalid("the hint '\(hint.name)' is \(found), not \(wanted)")
            }
            if wanted == "(iiibiiay)" { try checkPicture(hint) }
        }
    }

    private static func checkPicture(_ hint: ReceivedHints.Hint) throws(DBusError) {
        guard case .structure(let fields) = hint.value, fields.count == 7,
            let width = fields[0].int32Value, let height = fields[1].int32Value,
            let rowStride = fields[2].int32Value, let bits = fields[4].int32Value,
            let channels = fields[5].int32Value, let bytes = fields[6].arrayValue,
            width > 0, height > 0, rowStride > 0, bits > 0, channels > 0
        else { throw ReceivedNotification.invalid("the picture '\(hint.name)' has no size") }
        // The last row need not be filled up to the stride.
        let pixel = (Int(channels) * Int(bits) + 7) / 8
        let least = (Int(height) - 1) * Int(rowStride) + Int(width) * pixel
        guard bytes.count >= least else {
            throw ReceivedNotification.invalid(
                "the picture '\(hint.name)' has \(bytes.count) bytes and needs \(least)"
            )
        }
    }
}
