// Texts with placeholders: what is filled in, what disappears, and which mistakes are named.

import BelfryCore
import Testing

@testable import BelfryDesktop

@Suite("Templates of popups")
struct PopupTemplateTests {
    private func filled(_ text: String, _ values: [PopupTemplate.Name: String]) throws -> String {
        try PopupTemplate(text, place: "key").filled { values[$0] ?? "" }
    }

    @Test("placeholders are filled in")
    func fills() throws {
        let text = "Your {feature} task has finished successfully."
        #expect(try filled(text, [.feature: "upscale"]) == "Your upscale task has finished successfully.")
        #expect(try filled("#{number}{number}", [.number: "7"]) == "#77")
        #expect(try filled("{ title }", [.title: "A lighthouse"]) == "A lighthouse")
    }

    @Test("a value's braces, newlines and separators stay as they are")
    func values() throws {
        let value = "{feature} · {{x}}\n\nrest"
        #expect(try filled("{title} · {user}", [.title: value]) == value)
    }

    @Test(
        "a double brace is a brace",
        arguments: [
            ("{{feature}}", "{feature}"), ("{{{feature}}}", "{up}"), ("a } b", "a } b"), ("{{", "{"),
            ("{feature}}}", "up}"),
        ]
    )
    func braces(_ text: String, _ expected: String) throws {
        #expect(try filled(text, [.feature: "up"]) == expected)
    }

    @Test(
        "a separator beside an empty value disappears, with what belongs to the value",
        arguments: [
            ("{title} · {duration}", "12 s"), ("{duration} · {title}", "12 s"),
            ("{title} · {duration} · {labels}", "12 s"),
            ("{title} · took {duration} · by {user}", "took 12 s"),
            ("by {user} {duration} · end", "by  12 s · end"), ("all · of · it", "all · of · it"),
        ]
    )
    func separators(_ text: String, _ expected: String) throws {
        #expect(try filled(text, [.duration: "12 s"]) == expected)
    }

    @Test("a line in which nothing is left disappears; an empty line of the template stays")
    func lines() throws {
        #expect(try filled("{title}\n{error}\nend", [.error: "no"]) == "no\nend")
        #expect(try filled("a\n\n{title}b", [:]) == "a\n\nb")
        #expect(try filled("{title} · {labels}\nend", [:]) == "end")
        #expect(try filled("top\n\n{title}", [:]) == "top")
        #expect(try filled("{title}", [.title: " \n "]) == "")
        #expect(try filled("", [:]) == "")
    }

    @Test("no white space stands at the end of a line")
    func ends() throws {
        #expect(try filled("Done: {title}\n❌ {error}", [:]) == "Done:\n❌")
    }

    @Test("every name can be filled in")
    func names() throws {
        for name in PopupTemplate.Name.allCases {
            #expect(try filled("{\(name.rawValue)}", [name: "value"]) == "value")
        }
    }

    @Test(
        "a mistake is named, with its place and the names that there are",
        arguments: [
            ("Your {featur} task", "there is no {featur}; did you mean {feature}?"),
            ("{prompt}", "there is no {prompt}."), ("{}", "there is no {}."),
            ("a {title", "the { before 'title' is not closed."),
            ("{title {user}", "the { before 'title {user}' is not closed."),
            ("{ti\ntle}", "the { before 'ti\ntle}' is not closed."),
        ]
    )
    func mistakes(_ text: String, _ reason: String) {
        let error = #expect(throws: BelfryError.self) {
            try PopupTemplate(text, place: "sinks.desktop.completed.body")
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message == "sinks.desktop.completed.body: \(reason)")
        #expect(error?.fix?.hasPrefix("There are {feature}, {title}, {number}, ") == true)
        #expect(error?.fix?.hasSuffix("; {{ stands for a brace.") == true)
    }
}
