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
    appendDisks(zones, to: &page)
  }

  private static func appendDisks(_ zones: [CacheZoneFigures], to page: inout PrometheusText) {
    let disks = zones.compactMap { zone in zone.disk.map { (name: zone.name, figures: $0) } }
    if disks.isEmpty { return }
    page.begin("penstock_cache_disk_entries", .gauge, "Files with stored responses.")
    for disk in disks { page.sample(["zone": disk.name], disk.figures.entries) }
    page.begin("penstock_cache_disk_bytes", .gauge, "What these files take of the disk.")
    for disk in disks { page.sample(["zone": disk.name], disk.figures.bytes) }
    page.begin("penstock_cache_disk_bytes_max", .gauge, "What they may take.")
    for disk in disks { page.sample(["zone": disk.name], disk.figures.limit) }
    page.begin("penstock_cache_disk_evictions_total", .counter, "Files that made room for others.")
    for disk in disks { page.sample(["zone": disk.name], disk.figures.evictions) }
    page.begin(
      "penstock_cache_disk_inactive_total", .counter, "Files that were removed since nobody used them.")
    for disk in disks { page.sample(["zone": disk.name], disk.figures.inactiveFiles) }
    page.begin("penstock_cache_disk_reads_total", .counter, "Files that were to be read, by what came of it.")
    for disk in disks {
      page.sample(["zone": disk.name, "result": "read"], disk.figures.reads)
      page.sample(["zone": disk.name, "result": "failed"], disk.figures.failedReads)
      page.sample(["zone": disk.name, "result": "refused"], disk.figures.refusedReads)
    }
    page.begin(
      "penstock_cache_disk_writes_total", .counter, "Files that were to be written, by what came of it.")
    for disk in disks {
      page.sample(["zone": disk.name, "result": "written"], disk.figures.writes)
      page.sample(["zone": disk.name, "result": "failed"], disk.figures.failedWrites)
      page.sample(["zone": disk.name, "result": "dropped"], disk.figures.droppedWrites)
    }
    page.begin(
      "penstock_cache_disk_damaged_total", .counter, "Files that were cut or changed, and were removed.")
    for disk in disks { page.sample(["zone": disk.name], disk.figures.damagedFiles) }
  }
}
