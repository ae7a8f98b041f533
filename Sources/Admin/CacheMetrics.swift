import DataPlane
import Plugins

/// The metrics of the plugin `cache`.
enum CacheMetrics {
  static func append(_ figures: CacheFigures, to page: inout PrometheusText) {
    page.begin("penstock_cache_requests_total", .counter, "Requests that have met a cache, by what it had.")
    for result in CacheResult.allCases where result != .none {
      page.sample(["result": "\(result.name)"], figures[result])
    }
    let zones = CacheZones.figures
    if zones.isEmpty { return }
    page.begin("penstock_cache_entries", .gauge, "Stored responses.")
    for zone in zones { page.sample(["zone": zone.name], zone.entries) }
    page.begin("penstock_cache_bytes", .gauge, "What stored responses take of memory.")
    for zone in zones { page.sample(["zone": zone.name], zone.bytes) }
    page.begin("penstock_cache_bytes_max", .gauge, "What they may take.")
    for zone in zones { page.sample(["zone": zone.name], zone.limit) }
    page.begin("penstock_cache_evictions_total", .counter, "Stored responses that made room for others.")
    for zone in zones { page.sample(["zone": zone.name], zone.evictions) }
  }
}
