import Foundation
import Glibc

/// What the kernel says of this process, under the names that Prometheus's clients agreed on.
struct ProcessMetrics {
  var residentBytes: UInt64?
  var virtualBytes: UInt64?
  var cpuSeconds: Double?
  var openDescriptors: Int?
  var descriptorsMax: UInt64?
  var threads: UInt64?
  /// Seconds since 1970-01-01 UTC.
  var startSeconds: Double?

  /// Reads /proc; what cannot be read is left out.
  static func read() -> ProcessMetrics {
    var metrics = ProcessMetrics()
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    let page = UInt64(sysconf(Int32(_SC_PAGESIZE)))
    if let stat = contents("/proc/self/stat"), let end = stat.lastIndex(of: ")") {
      // Fields behind the command, which may hold blanks: proc(5) numbers the first of them 3.
      let fields = stat[stat.index(after: end)...].split(separator: " ")
      func field(_ number: Int) -> UInt64? { fields.count > number - 3 ? UInt64(fields[number - 3]) : nil }
      if let user = field(14), let system = field(15) { metrics.cpuSeconds = Double(user + system) / ticks }
      metrics.threads = field(20)
      if let started = field(22), let boot = bootSeconds() {
        metrics.startSeconds = boot + Double(started) / ticks
      }
      metrics.virtualBytes = field(23)
      metrics.residentBytes = field(24).map { $0 * page }
    }
    metrics.openDescriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    metrics.descriptorsMax = descriptorLimit()
    return metrics
  }

  func append(to page: inout PrometheusText) {
    if let cpuSeconds {
      page.begin("process_cpu_seconds_total", .counter, "User and system CPU time.")
      page.sample(cpuSeconds)
    }
    if let residentBytes {
      page.single("process_resident_memory_bytes", .gauge, "Resident memory.", residentBytes)
    }
    if let virtualBytes {
      page.single("process_virtual_memory_bytes", .gauge, "Virtual memory.", virtualBytes)
    }
    if let openDescriptors { page.gauge("process_open_fds", "Open file descriptors.", openDescriptors) }
    if let descriptorsMax {
      page.single("process_max_fds", .gauge, "Limit of open file descriptors.", descriptorsMax)
    }
    if let threads { page.single("process_threads", .gauge, "Threads.", threads) }
    if let startSeconds {
      page.begin("process_start_time_seconds", .gauge, "Start of the process since the Unix epoch.")
      page.sample(startSeconds)
    }
  }

  private static func contents(_ path: String) -> String? {
    try? String(contentsOfFile: path, encoding: .utf8)
  }

  private static func bootSeconds() -> Double? {
    contents("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
      .flatMap { Double($0.dropFirst(6)) }
  }

  private static func descriptorLimit() -> UInt64? {
    // "Max open files            1024                 524288               files"
    contents("/proc/self/limits")?.split(separator: "\n").first { $0.hasPrefix("Max open files") }
      .flatMap { $0.split(separator: " ").dropFirst(3).first }.flatMap { UInt64($0) }
  }
}
