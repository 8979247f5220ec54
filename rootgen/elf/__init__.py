"""(vocabulary of elf: written with the room)"""
