# UNTESTED ON HARDWARE: never built with the vendor's tool, never run on a board.
# SPDX-License-Identifier: Apache-2.0
# qsys-script --script=system.tcl --search-path=".,$": the processor system, the accelerator behind it.
#   registers   lightweight bridge, offset 0: 0xFF200000 for the processor
#   memory      64-bit port 0 of the SDRAM controller, command, read and write ports as common preloaders open them
package require -exact qsys 16.1

create_system system
set_project_property DEVICE_FAMILY {Cyclone V}
set_project_property DEVICE 5CSEBA6U23I7

add_instance clock clock_source
set_instance_parameter_value clock clockFrequency 50000000
add_instance pll altera_pll
set_instance_parameter_value pll gui_reference_clock_frequency 50.0
set_instance_parameter_value pll gui_output_clock_frequency0 100.0
set_instance_parameter_value pll gui_use_locked 0

add_instance hps altera_hps
set_instance_parameter_value hps F2SDRAM_Type {Avalon-MM\ Bidirectional}
set_instance_parameter_value hps F2SDRAM_Width 64
set_instance_parameter_value hps F2SINTERRUPT_Enable 1
set_instance_parameter_value hps LWH2F_Enable true
set_instance_parameter_value hps F2S_Width 0
set_instance_parameter_value hps S2F_Width 0

add_instance accel accel
set_instance_parameter_value accel PX 4
set_instance_parameter_value accel CLOCK_HZ 100000000

add_connection clock.clk pll.refclk
add_connection clock.clk_reset pll.reset
add_connection pll.outclk0 accel.clock
add_connection clock.clk_reset accel.reset
add_connection pll.outclk0 hps.h2f_lw_axi_clock
add_connection pll.outclk0 hps.f2h_sdram0_clock
add_connection hps.h2f_lw_axi_master accel.csr
set_connection_parameter_value hps.h2f_lw_axi_master/accel.csr baseAddress 0x0000
add_connection accel.memory hps.f2h_sdram0_data
add_connection hps.f2h_irq0 accel.irq
set_connection_parameter_value hps.f2h_irq0/accel.irq irqNumber 0

add_interface clk clock sink
set_interface_property clk EXPORT_OF clock.clk_in
add_interface reset reset sink
set_interface_property reset EXPORT_OF clock.clk_in_reset
add_interface memory conduit end
set_interface_property memory EXPORT_OF hps.memory
add_interface hps_io conduit end
set_interface_property hps_io EXPORT_OF hps.hps_io

save_system system.qsys
