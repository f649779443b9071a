// Introspection data as others write it.

import DBus
import Testing

@Suite("Introspection", .timeLimit(.minutes(1)))
struct IntrospectionTests {
    @Test("what is written is read back the same")
    func roundTrip() throws {
        let original = DBusIntrospection(
            interfaces: [
                DBusIntrospection.Interface(
                    "org.example.A",
                    methods: [
                        DBusIntrospection.Method("None"),
                        DBusIntrospection.Method(
                            "Some",
                            in: [DBusArgument("<&\"'>", "a{sv}"), DBusArgument("", "i")],
                            out: [DBusArgument("n", "u")]
                        ),
                    ],
                    signals: [DBusSignalDescription("S", arguments: [DBusArgument("x", "(ii)")])],
                    properties: [
                        DBusIntrospection.Property("R", "s"),
                        DBusIntrospection.Property("W", "s", access: .write),
                        DBusIntrospection.Property("RW", "s", access: .readwrite),
                    ]
                ), DBusIntrospection.Interface("org.example.Empty"),
            ],
            children: ["a", "b_1"]
        )
        #expect(try DBusIntrospection(xml: original.xml) == original)
    }

    @Test("comments, annotations, other elements, other quotes and nested nodes do no harm")
    func tolerance() throws {
        let xml = """
            <?xml version="1.0"?>
            <!DOCTYPE node [ <!ENTITY x "<y>"> ]>
            <node name="/org/example" xmlns:doc='http://www.freedesktop.org/dbus/1.0/doc.dtd'>
              <!-- <interface name="not.this"/> -->
              <interface name = 'org.example.A'>
                <doc:doc><doc:para>text <![CDATA[<method name="no"/>]]></doc:para></doc:doc>
                <annotation name="org.freedesktop.DBus.Deprecated" value="true"/>
                <method name="M"><annotation name="a" value="b"></annotation><arg type="s"/><arg type='u' direction='out'/></method>
              </interface>
              <node name="child"><interface name="org.example.Inner"><method name="X"/></interface></node>
            </node>
            """
        let read = try DBusIntrospection(xml: xml)
        let method = DBusIntrospection.Method("M", in: [DBusArgument("", "s")], out: [DBusArgument("", "u")])
        #expect(read.interfaces == [DBusIntrospection.Interface("org.example.A", methods: [method])])
        #expect(read.children == ["child"])
    }

    @Test(
        "what is broken is an error",
        arguments: [
            "", "text", "<node>", "</node>", "<interface name='a.b'/>", "<node><interface/></node>",
            "<node><interface name='nodot'/></node>", "<node></interface></node>", "<node name='x></node>",
            "<node><interface name='a.b'><method name='M'><arg type='a'/></method></interface></node>",
            "<node><interface name='a.b'><property name='P'/></interface></node>", "<node a=\"&what;\"/>",
            "<node", "<",
            "<!-- ", "<node><!-- </node>", "<node>" + String(repeating: "<node name='a'>", count: 1000),
        ]
    )
    func broken(_ xml: String) {
        #expect(throws: DBusError.self) { try DBusIntrospection(xml: xml) }
    }
}
