"""What a gateway has open, before and after something went wrong."""

from .gateway import Gateway
from .waiting import wait_until


class Balance:
    """What a gateway has open, before and after."""

    def __init__(self, gateway: Gateway):
        self._gateway = gateway
        gateway.get()  # what is opened once is open from here on
        readings: list[dict] = []
        # The admin server may close the connection of one reading after the next has begun.
        wait_until(lambda: readings.append(self._now()) or readings[-3:] == readings[-1:] * 3, "nothing changes")
        self._before = readings[-1]

    def _now(self) -> dict[str, float]:
        metrics = self._gateway.metrics()
        idle = metrics.sum("penstock_pool_idle")
        return {
            "descriptors but the pools'": self._gateway.descriptors() - idle,
            "sockets but the pools'": metrics.sum("penstock_open_sockets") - idle,
            "clients": metrics.sum("penstock_connections_active"),
            "in flight": metrics.sum("penstock_endpoint_in_flight"),
            "waiting": metrics.sum("penstock_queue_pending"),
        }

    def _is_restored(self) -> bool:
        now = self._now()
        return all(now[name] <= before for name, before in self._before.items())

    def check(self, origin: str = "good") -> None:
        """Everything that was opened since is closed, and the worker serves."""
        try:
            wait_until(self._is_restored, "everything is given back")
        except AssertionError as error:
            raise AssertionError(f"{error}: before {self._before}, now {self._now()}") from None
        self._gateway.check_health()
        assert self._gateway.origins_of(5) == {origin: 5}
