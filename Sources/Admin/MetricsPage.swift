import DataPlane

/// The page at `/metrics`.
struct MetricsPage: Sendable {
  /// Routes with series of their own; all others are summed as `_other`.
  static let routesMax = 1_000
  /// Endpoints, and services, that are shown.
  static let endpointsMax = 2_000
  /// Certificates that are shown: those that expire first.
  static let certificatesMax = 2_000

  private let selection = RouteSelection(routesMax: MetricsPage.routesMax)

  /// - Parameter snapshots: one per worker. Without any, what workers count is left out: a series that is
  ///   missing for a while goes on afterwards, and one that goes back to 0 looks like a restart.
  func render(_ snapshots: [CountersSnapshot], _ status: GatewayStatus, _ process: ProcessMetrics) -> String {
    var page = PrometheusText()
    page.begin("penstock_build_info", .gauge, "Always 1; the label tells the version.")
    page.sample(["version": status.version], "1")
    page.gauge("penstock_workers", "Workers that answered.", snapshots.count)
    append(status, to: &page)
    append(status.loops, to: &page)
    ResourceMetrics.append(status.resources, to: &page)
    CertificateMetrics.append(status, certificatesMax: Self.certificatesMax, to: &page)
    if !snapshots.isEmpty { append(CountersSnapshot.merged(snapshots), to: &page) }
    process.append(to: &page)
    return page.text
  }

  private func append(_ sum: CountersSnapshot, to page: inout PrometheusText) {
    RouteMetrics.append(selection.select(sum.routes), to: &page)
    PluginMetrics.append(sum.plugins, to: &page)
    CacheMetrics.append(sum.worker.cache, to: &page)
    WorkerMetrics.append(sum.worker, to: &page)
    TLSMetrics.append(sum.worker, to: &page)
    EndpointMetrics.append(sum.services, endpointsMax: Self.endpointsMax, to: &page)
  }

  private func append(_ loops: LoopFigures, to page: inout PrometheusText) {
    page.single(
      "penstock_worker_stalls_total", .counter, "Times that a worker did not turn its event loop for 1 s.",
      loops.stalls)
    page.gauge("penstock_workers_stalled", "Workers that do not turn their event loops now.", loops.stalled)
    page.begin(
      "penstock_worker_pause_seconds_max", .gauge,
      "The longest that a worker took to answer the watchdog since the start.")
    page.sample(loops.pauseSecondsMax)
  }

  private func append(_ status: GatewayStatus, to page: inout PrometheusText) {
    page.single(
      "penstock_config_revision", .gauge, "Revision of the running configuration.", status.revision)
    page.gauge(
      "penstock_config_last_reload_successful", "1 when the last attempt to load a configuration succeeded.",
      status.lastReloadSucceeded ? 1 : 0)
    page.begin(
      "penstock_config_last_reload_timestamp_seconds", .gauge,
      "When a configuration was last loaded or refused, since the Unix epoch.")
    page.sample(status.lastReloadSeconds)
    page.begin("penstock_config_reloads_total", .counter, "Attempts to load a configuration.")
    page.sample(["result": "success"], status.reloadsSucceeded)
    page.sample(["result": "failure"], status.reloadsFailed)
    page.single(
      "penstock_access_log_lost_total", .counter,
      "Lines that the access log's writer had taken and could not write.", status.accessLog.linesLost)
    page.single(
      "penstock_access_log_errors_total", .counter, "Failed writes and reopenings of the access log.",
      status.accessLog.errors)
  }
}
