import Testing

@testable import AdminClient

@Suite struct TerminalTextTests {
  @Test func controlCharactersBecomeSpaces() {
    #expect(TerminalText.line("a\u{1B}[31mb\r\nc\u{202E}d") == "a [31mb  c d")
    #expect(TerminalText.line("grün — ok") == "grün — ok")
  }

  @Test func linesOfABlockStay() {
    #expect(TerminalText.block("a\u{7}\n\nb\r\n") == "a \n\nb \n")
  }
}
