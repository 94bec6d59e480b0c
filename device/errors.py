# SPDX-License-Identifier: Apache-2.0
"""Errors a user can meet. Each message is one sentence: what was expected, what was found, where, what to do."""

from __future__ import annotations


class AppError(Exception):
    """One sentence for the user; ends the program with exit code 1 or shows as a banner."""


class BackendError(AppError):
    """A compiled network could not be run on its device."""


class BackendUnavailable(BackendError):
    """The device is not here; the message is the reason in words ("no /dev/uio0")."""


class DeviceTimeout(BackendError):
    """A bounded wait on a device ended without its answer."""
