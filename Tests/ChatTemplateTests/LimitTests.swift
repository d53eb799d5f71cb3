import ChatTemplate
import Foundation
import Testing

/// As small a stack as the library may find itself on: macOS gives threads 512 KiB. Unoptimized frames are some
/// times larger.
#if DEBUG
    private let stackSize = 8 << 20
#else
    private let stackSize = 512 << 10
#endif

/// Runs the body on a thread with the small stack.
private func onSmallStack(_ body: @escaping @Sendable () -> String) -> String {
    final class Box: @unchecked Sendable { var value = "" }
    let box = Box()
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
        box.value = body()
        done.signal()
    }
    thread.stackSize = stackSize
    thread.start()
    done.wait()
    return box.value
}

private func outcome(_ source: String) -> String {
    do {
        return try ChatTemplate(source: source).render(messages: [], addGenerationPrompt: false)
    } catch {
        return error.kind.rawValue
    }
}

@Suite("Hostile templates")
struct LimitTests {
    @Test(
        "Work, growth and nesting without end are errors",
        arguments: [
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "{% for a in range(100001) %}{% endfor %}",
            "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            "{% set ns = namespace(s='xy') %}{% for i in range(100) %}{% set ns.s = ns.s|replace('x', ns.s) %}{% endfor %}",
            "{{ 'x' * 10000000000 }}", "{{ [0] * 10000000000 }}", "{{ 'a'.zfill(10000000000) }}",
            "{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
            "{% set ns = namespace(l=[1]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}",
            "{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
            "{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l|tojson }}",
            "{% set ns = namespace(l=[1], k=[1]) %}{% for i in range(100) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.k = [ns.k, ns.k] %}{% endfor %}{{ ns.l == ns.k }}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% macro m(a) %}{% for i in [1] %}{% if true %}{{ m([a]) }}{% endif %}{% endfor %}{% endmacro %}{{ m(1) }}",
            "{% for i in range(100000) %}{% for j in range(1000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
            String(repeating: "{% if true %}", count: 5000) + String(repeating: "{% endif %}", count: 5000),
            "{{ " + String(repeating: "(", count: 5000) + "1" + String(repeating: ")", count: 5000) + " }}",
            "{{ " + String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000) + " }}",
            "{{ " + String(repeating: "not ", count: 5000) + "1 }}",
            "{{ " + String(repeating: "-", count: 5000) + "1 }}",
            "{{ a" + String(repeating: ".a", count: 5000) + " }}",
            "{{ 'a'" + String(repeating: "|upper", count: 5000) + " }}",
            "{{ 1" + String(repeating: " if 1 else 1", count: 5000) + " }}",
            String(repeating: "x", count: 2 << 20),
        ])
    func boundsWork(source: String) {
        #expect(onSmallStack { outcome(source) } == "limit")
    }

    @Test("Long chains and many alternatives are no nesting")
    func allowsLongChains() {
        #expect(outcome("{{ 0" + String(repeating: " + 1", count: 5000) + " }}") == "5000")
        #expect(outcome("{{ ''" + String(repeating: " ~ 'a'", count: 5000) + " }}").count == 5000)
        #expect(outcome("{{ 0" + String(repeating: " or 0", count: 5000) + " }}") == "0")
        let branches = (1...500).map { "{% elif x == \($0) %}\($0)" }.joined()
        #expect(outcome("{% set x = 500 %}{% if x == 0 %}0" + branches + "{% endif %}") == "500")
        let nested = String(repeating: "(", count: 20) + "1" + String(repeating: ")", count: 20)
        #expect(onSmallStack { outcome("{{ \(nested) }}") } == "1")
        let recursive = "{% macro m(n) %}{{ n }}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(16) }}"
        #expect(onSmallStack { outcome(recursive) } == (0...16).reversed().map(String.init).joined())
    }

    @Test("Namespaces and macros that refer to themselves are released")
    func releasesCycles() {
        #expect(outcome("{% set ns = namespace() %}{% set ns.me = ns %}{% macro m() %}{% endmacro %}ok") == "ok")
    }
}

@Suite("Template errors")
struct TemplateErrorTests {
    @Test(
        "Errors name their line and reason",
        arguments: [
            ("a\n{% if x %}\n", "chat template, line 2: expected 'elif' or 'else' or 'endif'"),
            ("a\n\n{{ x.y }}", "chat template, line 3: 'x' is undefined"),
            ("{{ messages.first.second }}", "chat template, line 1: 'list object' has no attribute 'first'"),
            ("\n{{ raise_exception('Roles must alternate') }}", "chat template: Roles must alternate"),
            ("{{ 1 + 'a' }}", "chat template, line 1: '+' does not apply to int and str"),
            ("{% include 'x' %}", "chat template, line 1: the tag 'include' is unknown here, or not supported"),
            ("\n\n{{ 'a'|zork }}", "chat template, line 3: the filter 'zork' is unknown, or not supported"),
            ("{{ range(200000) }}", "chat template, line 1: a range has more than 100000 numbers"),
        ])
    func namesTheLine(source: String, message: String) throws {
        let error = try #require(throws: TemplateError.self) {
            _ = try ChatTemplate(source: source).render(messages: [], addGenerationPrompt: false)
        }
        #expect(error.description == message)
    }

    @Test("The current time follows the format")
    func formatsTime() throws {
        let template = try ChatTemplate(source: "{{ strftime_now('%Y') }}|{{ strftime_now('%d %b %Y')|length }}")
        let parts = try template.render(messages: [], addGenerationPrompt: false).split(separator: "|")
        let year = try #require(Int(parts[0]))
        #expect(year >= 2025)
        #expect(parts[1] == "11")
        #expect(throws: TemplateError.self) {
            _ = try ChatTemplate(source: "{{ strftime_now('%99999d') }}").render(
                messages: [], addGenerationPrompt: false)
        }
    }
}
