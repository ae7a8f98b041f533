import Testing

@testable import Plugins

@Suite("Dates of fields (RFC 9110 §5.6.7)")
struct HTTPDateTests {
  private func seconds(_ text: String, now: Int64 = 784_111_777) -> Int64? {
    HTTPDate.seconds(Array(text.utf8).span, now: now)
  }

  @Test(arguments: [
    "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
  ])
  func allThreeFormsAreRead(_ text: String) { #expect(seconds(text) == 784_111_777) }

  @Test func leapDaysAreCounted() {
    #expect(seconds("Thu, 01 Jan 1970 00:00:00 GMT") == 0)
    #expect(seconds("Tue, 29 Feb 2000 12:00:00 GMT") == 951_825_600)
    #expect(seconds("Wed, 01 Mar 2000 00:00:00 GMT") == 951_868_800)
    #expect(seconds("Fri, 31 Dec 2100 23:59:60 GMT") == 4_133_980_800)
    #expect(seconds("Mon, 29 Feb 2100 00:00:00 GMT") == nil)
    #expect(seconds("Wed, 31 Dec 1969 23:59:59 GMT") == -1)
  }

  @Test func yearsOfTwoDigitsAreNotFarAhead() {
    // In 2026: 76 is ahead by fifty years, 77 was in the last century.
    #expect(seconds("Wednesday, 01-Jan-76 00:00:00 GMT", now: 1_792_000_000) == 3_345_062_400)
    #expect(seconds("Saturday, 01-Jan-77 00:00:00 GMT", now: 1_792_000_000) == 220_924_800)
  }

  @Test(arguments: [
    "", "S", "Sun", "Sun,", "Sun, ", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT ",
    "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 Nov 199 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 06 08:49:37 94", "1994-11-06T08:49:37Z", "784111777",
    "Sun, 06 Nov 1994 08:49:3", "Sun, 06 Nov 1994 -8:49:37 GMT",
  ])
  func anythingElseIsNone(_ text: String) { #expect(seconds(text) == nil) }
}
