// One value of each kind, and the edges of each.

import DBus

let samples: [DBusValue] = [
    .byte(0), .byte(255), .boolean(true), .boolean(false), .int16(.min), .uint16(.max), .int32(.min),
    .uint32(.max),
    .int64(.min), .uint64(.max), .double(-0.1), .double(.infinity), .double(.leastNonzeroMagnitude),
    .string(""), .string("Grüße, 世界 👩‍👩‍👧 \n\t\u{FFFF}"), .objectPath("/"), .objectPath("/a/b_1"), .signature(""),
    .signature("a{sv}(yv)"), .strings([]), .strings(["one", ""]), .array(of: "y", []),
    .array(of: "y", (0...255).map { .byte($0) }),
    .array(of: "ai", [.array(of: "i", [.int32(1)]), .array(of: "i", [])]),
    .array(of: "(sv)", [.structure([.string("x"), .variant(.byte(1))])]), .array(of: "(sv)", []),
    .array(of: "v", [.variant(.byte(1)), .variant(.string("two"))]),
    .array(of: "a{sv}", [.properties([("k", .int32(1))]), .properties([])]), .properties([]),
    .properties([("z", .byte(1)), ("a", .strings(["x"]))]),
    .dictionary(key: "u", value: "(ss)", [DBusEntry(.uint32(7), .structure([.string("a"), .string("b")]))]),
    .dictionary(key: "o", value: "a{sv}", [DBusEntry(.objectPath("/x"), .properties([("n", .double(1.5))]))]),
    .structure([.byte(1), .structure([.int64(2), .variant(.structure([.string("in")]))]), .strings(["s"])]),
    .variant(.variant(.variant(.uint32(3)))), .variant(.array(of: "(a{sv})", [])),
]
