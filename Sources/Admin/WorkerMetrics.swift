import DataPlane

/// The metrics that workers count apart from routes, summed over the workers.
enum WorkerMetrics {
  static func append(_ figures: WorkerFigures, to page: inout PrometheusText) {
    appendClients(figures, to: &page)
    appendConnections(figures, to: &page)
    appendUpstreams(figures, to: &page)
    appendWorkers(figures, to: &page)
  }

  private static func appendClients(_ figures: WorkerFigures, to page: inout PrometheusText) {
    page.single(
      "penstock_connections_accepted_total", .counter, "Client connections accepted.",
      figures.connectionsAccepted)
    page.gauge(
      "penstock_connections_active", "Client connections open now, idle ones included.",
      figures.connectionsActive)
    page.gauge(
      "penstock_connections_idle", "Client connections that wait for a request.", figures.connectionsIdle)
    page.single(
      "penstock_connections_refused_total", .counter,
      "Client connections closed at once because of a limit on connections or a plugin.",
      figures.connectionsRefused)
    page.single(
      "penstock_connections_evicted_total", .counter,
      "Idle client connections closed to make room for new ones.", figures.connectionsEvicted)
    page.single(
      "penstock_accept_failures_total", .counter,
      "Connections that could not be accepted, for want of descriptors or memory.", figures.acceptFailures)
    page.single(
      "penstock_proxy_headers_refused_total", .counter,
      "Connections closed for a missing or malformed PROXY protocol header.", figures.proxyHeadersRefused)
    page.single(
      "penstock_client_requests_total", .counter, "Requests of all routes and of none.", figures.requests)
    page.begin(
      "penstock_requests_refused_total", .counter,
      "Requests that the parser or a limit refused, by the status answered.")
    for status in RefusalCounts.statuses where figures.refusals[status] > 0 {
      page.sample(["status": String(status)], figures.refusals[status])
    }
    if figures.refusals[0] > 0 { page.sample(["status": "_other"], figures.refusals[0]) }
    page.begin(
      "penstock_refused_total", .counter,
      "Connections and requests that a limit refused, by the limit; connections that a plugin closed.")
    for reason in RefusalReason.allCases {
      page.sample(["reason": "\(reason.name)"], figures.refusalReasons[reason])
    }
    page.gauge(
      "penstock_requests_in_flight", "Requests at endpoints, or on their way there.",
      figures.requestsInFlight)
    page.gauge(
      "penstock_requests_at_plugins", "Requests that a plugin has wait for something.",
      figures.requestsAtPlugins)
    page.gauge(
      "penstock_side_requests_in_flight", "Requests of the gateway's own to services, for plugins.",
      figures.sideRequestsInFlight)
    page.single(
      "penstock_overloads_total", .counter, "How often a worker has begun to hold requests back.",
      figures.overloads)
  }

  private static func appendConnections(_ figures: WorkerFigures, to page: inout PrometheusText) {
    page.single(
      "penstock_http2_connections_total", .counter, "Client connections that speak HTTP/2.",
      figures.http2Connections)
    page.single(
      "penstock_http2_failures_total", .counter,
      "Connections of HTTP/2, with clients or endpoints, ended because the peer broke a rule.",
      figures.http2Failures)
    page.gauge(
      "penstock_tunnels_active", "Connections open now that were upgraded, such as WebSocket.",
      figures.tunnels)
  }

  private static func appendUpstreams(_ figures: WorkerFigures, to page: inout PrometheusText) {
    page.single("penstock_retries_total", .counter, "Attempts beyond the first.", figures.retries)
    page.single(
      "penstock_retry_budget_exhausted_total", .counter, "Retries that the budget forbade.",
      figures.retryBudgetExhausted)
    page.single(
      "penstock_upstream_connects_total", .counter, "Connections to endpoints begun.",
      figures.upstreamConnects)
    page.single(
      "penstock_upstream_connect_failures_total", .counter, "Connections to endpoints that failed.",
      figures.upstreamConnectFailures)
    page.single(
      "penstock_upstream_handshake_failures_total", .counter, "TLS handshakes with endpoints that failed.",
      figures.upstreamHandshakeFailures)
    page.single(
      "penstock_pool_reused_total", .counter, "Requests that took an idle connection of the pool.",
      figures.poolReused)
    page.gauge("penstock_pool_idle", "Idle connections to endpoints.", figures.poolIdle)
    page.single(
      "penstock_pool_expired_total", .counter,
      "Idle connections closed for their age or for having been idle for long.", figures.poolExpired)
    page.single(
      "penstock_pool_stale_total", .counter,
      "Requests sent again because the endpoint was closing the idle connection that they took.",
      figures.poolStale)
    page.single(
      "penstock_ejections_total", .counter, "Endpoints taken out by a worker after failures.",
      figures.ejections)
    page.gauge(
      "penstock_queue_pending", "Requests that wait for a service at its limit.", figures.queuePending)
    page.single(
      "penstock_queue_overflows_total", .counter, "Requests refused because a service's queue was full.",
      figures.queueOverflows)
    page.single(
      "penstock_queue_timeouts_total", .counter, "Requests that waited too long in a service's queue.",
      figures.queueTimeouts)
  }

  private static func appendWorkers(_ figures: WorkerFigures, to page: inout PrometheusText) {
    page.single(
      "penstock_loop_rounds_total", .counter, "Rounds of the workers' event loops.", figures.loopRounds)
    page.begin(
      "penstock_worker_change_pause_seconds_max", .gauge,
      "The longest time since the start that a worker spent on changes between two rounds of its loop.")
    page.sample(Double(figures.changePauseNanosecondsMax) / 1e9)
    page.single(
      "penstock_access_log_lines_total", .counter, "Lines of the access log handed to its writer.",
      figures.accessLogLines)
    page.single(
      "penstock_access_log_dropped_total", .counter,
      "Lines dropped because the access log's writer did not keep up.", figures.accessLogDropped)
    page.gauge("penstock_buffers_lent", "Buffers in use.", figures.buffersLent)
    page.gauge(
      "penstock_buffer_bytes", "What counts against http.limits.bufferBytes.", figures.bufferBytesHeld)
    page.gauge(
      "penstock_open_sockets", "Sockets of clients, endpoints and listeners.", figures.openSockets)
  }
}
