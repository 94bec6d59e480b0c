# UNTESTED ON HARDWARE: never built with the vendor's tool, never run on a board.
# SPDX-License-Identifier: Apache-2.0
# Platform Designer component: accel_top with its two Avalon-MM ports and the interrupt.
package require -exact qsys 16.1

set_module_property NAME accel
set_module_property DISPLAY_NAME "Low-bit convolution accelerator"
set_module_property VERSION 1.0
set_module_property GROUP "Accelerators"
set_module_property EDITABLE false
set_module_property INTERNAL false

add_parameter PX INTEGER 4 "Pixels at a time"
set_parameter_property PX ALLOWED_RANGES {1 2 4}
set_parameter_property PX HDL_PARAMETER true
add_parameter CLOCK_HZ INTEGER 100000000 "Clock, read back by the driver"
set_parameter_property CLOCK_HZ HDL_PARAMETER true

add_fileset synth QUARTUS_SYNTH "" ""
set_fileset_property synth TOP_LEVEL accel_top
set rtl [file join [file dirname [info script]] .. .. rtl]
# Packages first: the other files use them.
foreach name {accel_regs_pkg accel_pkg} {
    add_fileset_file $name.sv SYSTEM_VERILOG PATH [file join $rtl $name.sv]
}
foreach path [lsort [glob [file join $rtl accel_*.sv]]] {
    set name [file tail $path]
    if {$name ni {accel_regs_pkg.sv accel_pkg.sv}} {
        add_fileset_file $name SYSTEM_VERILOG PATH $path
    }
}

add_interface clock clock end
add_interface_port clock clk_i clk Input 1

add_interface reset reset end
set_interface_property reset associatedClock clock
set_interface_property reset synchronousEdges BOTH
add_interface_port reset rst_ni reset_n Input 1

add_interface csr avalon end
set_interface_property csr associatedClock clock
set_interface_property csr associatedReset reset
set_interface_property csr addressUnits WORDS
set_interface_property csr readLatency 1
set_interface_property csr readWaitTime 0
set_interface_property csr writeWaitTime 0
add_interface_port csr csr_address_i address Input 10
add_interface_port csr csr_read_i read Input 1
add_interface_port csr csr_write_i write Input 1
add_interface_port csr csr_writedata_i writedata Input 32
add_interface_port csr csr_readdata_o readdata Output 32

add_interface memory avalon start
set_interface_property memory associatedClock clock
set_interface_property memory associatedReset reset
set_interface_property memory addressUnits SYMBOLS
set_interface_property memory burstcountUnits WORDS
set_interface_property memory maximumPendingReadTransactions 8
add_interface_port memory mem_address_o address Output 32
add_interface_port memory mem_read_o read Output 1
add_interface_port memory mem_write_o write Output 1
add_interface_port memory mem_burstcount_o burstcount Output 6
add_interface_port memory mem_writedata_o writedata Output 64
add_interface_port memory mem_byteenable_o byteenable Output 8
add_interface_port memory mem_waitrequest_i waitrequest Input 1
add_interface_port memory mem_readdatavalid_i readdatavalid Input 1
add_interface_port memory mem_readdata_i readdata Input 64
add_interface_port memory mem_response_i response Input 2

add_interface irq interrupt end
set_interface_property irq associatedClock clock
set_interface_property irq associatedReset reset
set_interface_property irq associatedAddressablePoint csr
add_interface_port irq irq_o irq Output 1
