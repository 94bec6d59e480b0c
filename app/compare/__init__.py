# SPDX-License-Identifier: Apache-2.0
"""The same frames through a second pair of backend and precision, and how far the two are apart."""
