import Testing

@testable import Runtime

@Suite struct ServiceManagerTests {
  private func period(_ environment: String...) -> Duration? {
    ServiceManager(environment: environment, identifier: 7).watchdogPeriod
  }

  @Test func watchdogIsForTheProcessThatItNames() {
    let socket = "NOTIFY_SOCKET=/run/notify"
    #expect(period(socket, "WATCHDOG_USEC=30000000", "WATCHDOG_PID=7") == .seconds(30))
    #expect(period(socket, "WATCHDOG_USEC=30000000") == .seconds(30))
    #expect(period(socket, "WATCHDOG_USEC=30000000", "WATCHDOG_PID=8") == nil)
    #expect(period(socket, "WATCHDOG_USEC=30000000", "WATCHDOG_PID=") == nil)
  }

  @Test func withoutAPeriodOrAListenerThereIsNone() {
    #expect(period("NOTIFY_SOCKET=/run/notify") == nil)
    #expect(period("WATCHDOG_USEC=30000000") == nil)
    for value in ["", "0", "-1", "x", "30s"] {
      #expect(period("NOTIFY_SOCKET=/run/notify", "WATCHDOG_USEC=\(value)") == nil, "\(value)")
    }
  }
}
